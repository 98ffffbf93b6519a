import { expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { FallbackUse } from './fallback-use.ts';

const UNTIL = '2026-01-01T01:00:00Z';
const OPENBAO = { backendRef: { name: 'openbao' } };

function aMigration(spec: Record<string, unknown>, status = {}): SecretMigration {
  const parsed = parseSecretMigration({
    apiVersion: API_VERSION,
    kind: 'SecretMigration',
    metadata: { name: 'm', namespace: 'ns', uid: 'u', generation: 1, resourceVersion: '1' },
    spec: { select: { all: true }, source: OPENBAO, destination: OPENBAO, ...spec },
    status,
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

const RENAMES = { mode: 'Sync', mapping: { prefixes: [{ from: 'old-', to: 'new-', stripPrefix: true }] } };

it('of two names in one backend is Active until sync.untilTime, and always without one', () => {
  const clock = new ManualClock();
  expect(new FallbackUse(aMigration(RENAMES), clock).status()).toEqual({ state: 'Active', hits: 0 });
  const use = new FallbackUse(aMigration({ ...RENAMES, sync: { untilTime: UNTIL } }), clock);
  use.count();
  expect(use.status()).toEqual({ state: 'Active', hits: 1, lastHitTime: '2026-01-01T00:00:00Z' });
  clock.jump(3_600_000);
  expect(use.status()).toMatchObject({ state: 'Ended', hits: 1 });
});

it('adds to what earlier runs counted', () => {
  const status = { fallback: { state: 'Active', hits: 4, lastHitTime: '2025-12-31T00:00:00Z' } };
  const use = new FallbackUse(aMigration(RENAMES, status), new ManualClock());
  expect(use.status()).toEqual(status.fallback);
  use.count();
  expect(use.status()).toMatchObject({ hits: 5, lastHitTime: '2026-01-01T00:00:00Z' });
});

it('is shown of two backends once a value was taken: they lead to one folder', () => {
  const destination = { backendRef: { name: 'kubernetes' } };
  const use = new FallbackUse(aMigration({ ...RENAMES, destination }), new ManualClock());
  expect(use.status()).toBeUndefined();
  use.count();
  expect(use.status()).toMatchObject({ state: 'Active', hits: 1 });
});

it('is not shown in mode Once without a fallback', () => {
  const use = new FallbackUse(aMigration({ ...RENAMES, mode: 'Once' }), new ManualClock());
  expect(use.status()).toBeUndefined();
});
