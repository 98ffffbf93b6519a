import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectorText } from '#src/core/label-selector.ts';
import { scriptedSession, type Given, type Script } from '#test/support/scripted-session.ts';
import { ready, stalled } from '#test/support/shown-migrations.ts';
import { migrateIn } from './carry-out.ts';
import { parseBackend } from './ends.ts';
import { wantedBy, type ManifestFlags } from './manifest.ts';
import { parseSelector } from './selection.ts';

const FLAGS: ManifestFlags = { from: 'kubernetes', to: 'openbao', all: true };

describe('the SecretMigration of flags', () => {
  it('has what was said and no more, and keeps the sources', () => {
    expect(wantedBy({ ...FLAGS, exclude: ['tmp-*', 'old'] }, undefined).manifest).toEqual({
      apiVersion: 'keyferry.io/v1alpha1',
      kind: 'SecretMigration',
      metadata: { name: 'kubernetes-to-openbao' },
      spec: {
        source: { backendRef: { name: 'kubernetes' } },
        destination: { backendRef: { name: 'openbao' } },
        select: { all: true, exclude: { names: ['old'], prefixes: ['tmp-'] } },
      },
    });
  });

  it('removes sources, follows changes or only looks where a flag says so', () => {
    const specOf = (flags: Partial<ManifestFlags>) => wantedBy({ ...FLAGS, ...flags }, 'shop').manifest.spec;
    expect(specOf({ deleteSource: true })).toMatchObject({ sourcePolicy: 'Delete' });
    expect(specOf({ mode: 'sync' })).toMatchObject({ mode: 'Sync' });
    expect(specOf({ dryRun: true })).toMatchObject({ dryRun: true });
    expect(specOf({ keepSource: true })).not.toHaveProperty('sourcePolicy');
  });

  it.each([
    [{ all: undefined }, 'exactly one of'],
    [{ names: ['a'] }, 'exactly one of'],
    [{ deleteSource: true, keepSource: true }, 'one of --keep-source'],
    [{ deleteSource: true, mode: 'Sync' }, '--mode Once'],
    [{ mode: 'Twice' }, 'Once or Sync'],
    [{ from: 'pod/x' }, '--from'],
    [{ to: 'a/b/c' }, '--to'],
    [{ from: undefined }, '--from and --to'],
  ])('refuses %j', (flags, words) => {
    expect(() => wantedBy({ ...FLAGS, ...flags }, undefined)).toThrow(words);
  });

  it('names a backend as kubectl names objects', () => {
    const shared = { kind: 'ClusterSecretBackend', name: 'bao' };
    for (const word of [
      'ClusterSecretBackend',
      'clustersecretbackends',
      'csbe',
      'clustersecretbackend.keyferry.io',
    ])
      expect(parseBackend('--from', `${word}/bao`)).toEqual(shared);
    expect(parseBackend('--from', 'bao')).toEqual({ kind: 'SecretBackend', name: 'bao' });
  });
});

describe('--selector', () => {
  it('is read as kubectl reads labels', () => {
    expect(parseSelector('team=payments, tier in (web, api),env!=dev,!legacy,app')).toEqual({
      matchLabels: { team: 'payments' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['web', 'api'] },
        { key: 'env', operator: 'NotIn', values: ['dev'] },
        { key: 'legacy', operator: 'DoesNotExist' },
        { key: 'app', operator: 'Exists' },
      ],
    });
    for (const wrong of ['', 'a=1,a=2', 'a in b', 'a=(b)', 'a>1', ','])
      expect(() => parseSelector(wrong)).toThrow();
  });

  it('asks for the labels that it was given, whatever they are', () => {
    const key = fc.stringMatching(/^[a-z]([a-z0-9.-]{0,8}[a-z0-9])?(\/[a-z]{1,5})?$/);
    const value = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    const expression = fc.oneof(
      fc.record({
        key,
        operator: fc.constantFrom('In' as const, 'NotIn' as const),
        values: fc.array(value, { minLength: 1, maxLength: 3 }),
      }),
      fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) }),
    );
    fc.assert(
      fc.property(
        fc.dictionary(key, value, { minKeys: 1 }),
        fc.array(expression),
        (matchLabels, matchExpressions) => {
          const text = selectorText({ matchLabels, matchExpressions });
          expect(selectorText(parseSelector(text))).toBe(text);
        },
      ),
    );
  });
});

function aBackend(
  name: string,
  more: object = { conditions: [ready('True', 'Available')] },
  kind = 'SecretBackend',
): Given {
  return {
    kind,
    metadata: { name, ...(kind === 'SecretBackend' ? { namespace: 'shop' } : {}) },
    status: more,
  };
}

const HOW = { isDryRun: false, isConfirmed: false, waits: false, timeoutMs: 60_000 };

async function migrate(script: Script, flags: Partial<ManifestFlags> = {}, how: Partial<typeof HOW> = {}) {
  const scripted = scriptedSession({ objects: [aBackend('kubernetes'), aBackend('openbao')], ...script });
  const code = await migrateIn(scripted.session, wantedBy({ ...FLAGS, ...flags }, undefined), {
    ...HOW,
    ...how,
  });
  return { ...scripted, code };
}

describe('migrate', () => {
  it('creates it in the namespace of the context', async () => {
    const { code, out, server } = await migrate({});
    expect(code).toBe(0);
    expect(out()).toBe('secretmigration.keyferry.io/kubernetes-to-openbao created\n');
    expect(server.sent('POST')).toMatchObject([
      { metadata: { namespace: 'shop', name: 'kubernetes-to-openbao' }, spec: { select: { all: true } } },
    ]);
  });

  it.each([
    ['missing', [aBackend('kubernetes')], 'There is no SecretBackend openbao in the namespace shop.'],
    ['shared', [aBackend('openbao', {}, 'ClusterSecretBackend')], 'write clustersecretbackend/openbao'],
    [
      'not Ready',
      [aBackend('openbao', { conditions: [ready('False', 'BackendSealed', 'It is sealed.')] })],
      'BackendSealed: It is sealed.',
    ],
    ['not probed', [aBackend('openbao', {})], 'has not probed it yet'],
  ])('says that a backend is %s, and creates nothing', async (_what, objects, words) => {
    const scripted = scriptedSession({ objects: [aBackend('kubernetes'), ...objects] });
    const work = migrateIn(scripted.session, wantedBy(FLAGS, undefined), HOW);
    await expect(work).rejects.toThrow(words);
    expect(scripted.server.sent('POST')).toEqual([]);
  });

  it('asks on a terminal before sources are removed; in a pipe the flag is enough', async () => {
    const no = await migrate({ answer: 'n\n' }, { deleteSource: true });
    expect([no.code, no.server.sent('POST')]).toEqual([1, []]);
    const pipe = await migrate({}, { deleteSource: true });
    expect(pipe.server.sent('POST')).toMatchObject([{ spec: { sourcePolicy: 'Delete' } }]);
  });

  it.each([
    [0, [ready('True', 'Completed', '3/3 keys verified.')]],
    [1, [ready('False', 'ConflictsFound')]],
    [1, [ready('False', 'PartiallyFailed'), stalled('PartiallyFailed')]],
  ])('waits with --wait, and ends with %i', async (code, conditions) => {
    let reads = 0;
    const script: Script = {
      status: ({ kind }) => {
        if (kind !== 'SecretMigration') return undefined;
        reads += 1;
        const progress = {
          observedGeneration: 1,
          conditions: [ready('Unknown', 'Progressing')],
          progress: `${reads}/3`,
        };
        return reads < 3 ? progress : { observedGeneration: 1, conditions };
      },
    };
    const done = await migrate(script, {}, { waits: true });
    expect(done.code).toBe(code);
    expect(done.err()).toContain('1/3 keys\n2/3 keys\n');
  });

  it('creates no second one of a name, and says what to do', async () => {
    const existing = {
      kind: 'SecretMigration',
      metadata: { name: 'kubernetes-to-openbao', namespace: 'shop' },
    };
    const objects = [aBackend('kubernetes'), aBackend('openbao'), existing];
    await expect(migrate({ objects })).rejects.toThrow('--name');
  });
});
