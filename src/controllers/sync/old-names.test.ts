import { expect, it } from 'vitest';
import { aSyncMigration, inStep, intentOf, present } from '#test/support/followed.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { Followed } from './followed.ts';

/* A source whose documents can be at old addresses: `ns/a` was `OLD_a`. */

function aFollowedWithOldNames(): Followed {
  const { spec, ...rest } = aSyncMigration({ from: 'bao', to: 'kubernetes' });
  const fallback = { prefix: 'OLD_', untilTime: '2026-01-01T01:00:00Z' };
  const migration = { ...rest, spec: { ...spec, source: { ...spec.source, fallback } } };
  const { route, selection } = intentOf(migration, { source: 'tree', destination: 'flat' });
  return new Followed({ route, selection, clock: new ManualClock() });
}

const listed = (address: string, revision: string) => ({ address, ...present(revision) });

it('a document at its old address changes when its old name does', () => {
  const followed = aFollowedWithOldNames();
  const source = { path: 'OLD_a', version: '1', identity: 'u' };
  followed.remember([{ ...inStep('a', '1', '1', 'a'), source }], 'all');
  expect(followed.listed('source', [listed('OLD_a', '1')])).toBe(false);
  expect(followed.listed('source', [listed('OLD_a', '2')])).toBe(true);
});

it('a document under its name does not change when its old name does, listing after listing', () => {
  const followed = aFollowedWithOldNames();
  followed.remember([inStep('a', '1', '1', 'a')], 'all');
  for (const revision of ['4', '5']) {
    expect(followed.listed('source', [listed('ns/a', '1'), listed('OLD_a', revision)])).toBe(false);
    expect(followed.listed('source', [listed('OLD_a', revision), listed('ns/a', '1')])).toBe(false);
  }
  expect(followed.isDirty).toBe(false);
  expect(followed.listed('source', [listed('ns/a', '2'), listed('OLD_a', '5')])).toBe(true);
});
