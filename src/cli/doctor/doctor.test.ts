import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { API_VERSION } from '#src/api/group.ts';
import { SecretBackendSchema } from '#src/api/v1alpha1/secret-backend.ts';
import { parseSecretMigration, SecretMigrationSchema } from '#src/api/v1alpha1/secret-migration.ts';
import { OperatorError } from '#src/errors.ts';
import { ServerClock } from '#src/io/server-clock.ts';
import type { KubeRequest } from '#src/kube/client.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { checkClock } from './clock.ts';
import { differences } from './crds.ts';
import { diagnose } from './doctor.ts';
import type { Examined, Finding } from './finding.ts';
import { checkOperator } from './operator.ts';
import { findingsOf } from './migrations.ts';
import { TESTED_MINORS } from './versions.ts';

const { signal } = new AbortController();

function examined(answer: (request: KubeRequest) => unknown, clock = new ManualClock()): Examined {
  const client = new ScriptedKubeClient(answer);
  const cluster = { client, signal, namespace: 'shop', serverTime: new ServerClock(clock) };
  return { cluster, operatorNamespace: 'keyferry-system', version: '1.2.3', clock };
}

function withoutRights({ path }: KubeRequest): unknown {
  if (path === '/version') return { gitVersion: 'v1.36.2' };
  if (path.endsWith('selfsubjectaccessreviews')) return { status: { allowed: false } };
  if (path.endsWith('selfsubjectreviews')) return { status: { userInfo: { username: "al'ice" } } };
  throw new OperatorError('AUTH_DENIED', { op: 'test' });
}

describe('doctor', () => {
  it('goes on where the user may not look, and says what was not checked', async () => {
    const findings = await diagnose(examined(withoutRights));
    const levels = new Map(findings.map(({ check, level }) => [check, level]));
    expect(levels.get('versions')).toBe('ok');
    for (const check of ['crds', 'operator', "operator's rights", 'admission', 'quota', 'clock'])
      expect([check, levels.get(check)]).toEqual([check, 'skipped']);
    expect(findings.find(({ check }) => check === 'your rights')).toMatchObject({
      level: 'warning',
      fix: expect.stringContaining("--user='alice'"),
    });
    expect(findings.filter(({ level }) => level === 'problem')).toEqual([]);
  });

  it('says once that the API server does not answer', async () => {
    const findings = await diagnose(
      examined(() => {
        throw new OperatorError('BACKEND_UNREACHABLE', { op: 'test' });
      }),
    );
    expect(findings).toMatchObject([{ level: 'problem', check: 'API server' }]);
  });

  it('warns of a version of Kubernetes that is not tested', async () => {
    const findings = await diagnose(
      examined((request) =>
        request.path === '/version' ? { gitVersion: 'v1.12.0' } : withoutRights(request),
      ),
    );
    expect(findings[0]).toMatchObject({ level: 'warning', found: expect.stringContaining('1.35 to 1.37') });
  });

  it('knows the versions that docs/compatibility.md has', () => {
    const page = readFileSync(new URL('../../../docs/compatibility.md', import.meta.url), 'utf8');
    const rows = page.split('\n').filter((line) => line.includes('API server'));
    const minors = rows.flatMap((row) => [...row.matchAll(/\b1\.(\d+)/g)].map(([, minor]) => Number(minor)));
    expect([Math.min(...minors), Math.max(...minors)]).toEqual([TESTED_MINORS.least, TESTED_MINORS.most]);
  });
});

describe('doctor about the installed kinds', () => {
  const installed = z.toJSONSchema(SecretMigrationSchema, { target: 'openapi-3.0', io: 'input' });

  it('has nothing to say of those of its own version', () => {
    expect(differences('SecretMigration', installed)).toEqual({ missing: [], unknown: [] });
  });

  it('names a field that the cluster would drop, and one that this program does not know, by the highest name', () => {
    const backend = z.toJSONSchema(SecretBackendSchema, { target: 'openapi-3.0', io: 'input' });
    const { missing, unknown } = differences('SecretMigration', backend);
    expect(missing).toEqual(expect.arrayContaining(['spec.mapping', 'spec.select']));
    expect(missing.filter((field) => field.startsWith('spec.mapping.'))).toEqual([]);
    expect(unknown).toContain('spec.openbao');
  });
});

const RENEWED = '2026-11-27T12:00:00.000000Z';

async function leaderAt(time: string, lease: object | undefined): Promise<readonly Finding[]> {
  const clock = new ManualClock();
  const now = { now: () => Date.parse(time), monotonic: () => clock.monotonic() };
  const about = examined(({ path }) => {
    if (path.endsWith('/deployments')) return { items: [] };
    if (lease === undefined) throw new OperatorError('NOT_FOUND', { op: 'test' });
    return { kind: 'Lease', metadata: { name: 'keyferry-operator' }, spec: lease };
  });
  return checkOperator({ ...about, clock: now });
}

describe('doctor about the operator', () => {
  const held = { holderIdentity: 'pod-1', leaseDurationSeconds: 15, renewTime: RENEWED };

  it.each([
    ['leads', '2026-11-27T12:00:05Z', held, 'pod-1 leads, and renewed its Lease 5s ago.'],
    ['is silent', '2026-11-27T12:03:00Z', held, 'No replica leads: pod-1 renewed'],
    ['gave it back', '2026-11-27T12:00:05Z', { ...held, holderIdentity: '' }, 'given back'],
    ['never worked', '2026-11-27T12:00:05Z', undefined, 'no Lease keyferry-system/keyferry-operator'],
  ])('says that it %s', async (what, time, lease, text) => {
    const level = what === 'leads' ? 'ok' : 'problem';
    expect(await leaderAt(time, lease)).toMatchObject([{ level, found: expect.stringContaining(text) }]);
  });
});

describe('doctor about an operator whose replicas share the work', () => {
  it('names each slice that nobody works on', async () => {
    const held = { holderIdentity: 'pod-1', leaseDurationSeconds: 15, renewTime: RENEWED };
    const args = ['operator', '--lease-name=blue', '--slices=3'];
    const deployment = {
      metadata: { name: 'blue' },
      spec: { replicas: 1, template: { spec: { containers: [{ args }] } } },
      status: { readyReplicas: 1 },
    };
    const about = examined(({ path }) => {
      if (path.endsWith('/deployments')) return { items: [deployment] };
      const spec = path.endsWith('/blue-2') ? { ...held, holderIdentity: '' } : held;
      return { kind: 'Lease', metadata: { name: 'blue' }, spec };
    });
    const clock = new ManualClock(Date.parse('2026-11-27T12:00:05Z'));
    const findings = await checkOperator({ ...about, clock });
    expect(findings.filter(({ found }) => found.includes('Lease'))).toMatchObject([
      { level: 'ok', found: 'pod-1 leads, and renewed its Lease 5s ago.' },
      {
        level: 'problem',
        found: expect.stringContaining('No replica leads: the Lease keyferry-system/blue-2 was'),
      },
    ]);
  });
});

describe('doctor about the clock', () => {
  it('compares it with the replies of the API server', async () => {
    const clock = new ManualClock();
    const about = examined(withoutRights, clock);
    const note = (ms: number): void =>
      about.cluster.serverTime.note(new Date(clock.now() + ms).toUTCString(), clock.monotonic());
    note(0);
    expect(await checkClock(about)).toMatchObject([{ level: 'ok' }]);
    for (let reply = 0; reply < 5; reply += 1) note(120_000);
    expect(await checkClock(about)).toMatchObject([
      {
        level: 'problem',
        found: expect.stringMatching(/1(19|20) s behind/),
        fix: 'sudo timedatectl set-ntp true',
      },
    ]);
  });
});

describe('doctor about a migration', () => {
  const NOW = Date.parse('2026-11-27T12:00:00Z');
  const condition = (type: string, reason: string, since = '2026-11-27T11:00:00Z') => ({
    type,
    status: type === 'Ready' ? 'False' : 'True',
    reason,
    message: 'Why.',
    lastTransitionTime: since,
  });

  function found(status: object, backendRef: object = { name: 'bao' }): readonly Finding[] {
    const parsed = parseSecretMigration({
      apiVersion: API_VERSION,
      kind: 'SecretMigration',
      metadata: { name: 'payments', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 1 },
      spec: { source: {}, destination: { backendRef }, select: { all: true } },
      status,
    });
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    return findingsOf(parsed.value, { titles: new Set(['SecretBackend shop/bao']), shared: true }, NOW);
  }

  it.each([
    ['stands still', { conditions: [condition('Stalled', 'InvalidSpec')] }, 'problem', 'keyferry status'],
    [
      'waits for approval',
      { conditions: [condition('Ready', 'AwaitingApproval')] },
      'warning',
      'keyferry approve',
    ],
    [
      'is suspended for long',
      { conditions: [condition('Suspended', 'Suspended', '2026-11-01T12:00:00Z')] },
      'warning',
      'keyferry resume',
    ],
    [
      'lost reports',
      { reports: { count: 1, labelSelector: 'a=b', lost: { reports: 1, rows: 2, unrecoverable: false } } },
      'problem',
      'keyferry retry',
    ],
  ])('that %s, names the command for it', (_what, status, level, fix) => {
    expect(found({ observedGeneration: 1, ...status })).toMatchObject([
      { level, fix: `${fix} payments -n shop` },
    ]);
  });

  it('that names a backend which does not exist, says which', () => {
    expect(found({ observedGeneration: 1 }, { name: 'other' })).toMatchObject([
      {
        level: 'problem',
        found: 'SecretMigration shop/payments names SecretBackend shop/other, which does not exist.',
      },
    ]);
  });

  it('that was suspended yesterday, or is fine, says nothing', () => {
    expect(found({ observedGeneration: 1, conditions: [condition('Suspended', 'Suspended')] })).toEqual([]);
    expect(found({ observedGeneration: 1 })).toEqual([]);
  });
});
