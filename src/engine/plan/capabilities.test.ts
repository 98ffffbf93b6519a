import { describe, expect, it } from 'vitest';
import { parseSecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Capability } from '#src/backends/capabilities.ts';
import { requireCapabilities } from './capabilities.ts';

type Backends = Parameters<typeof requireCapabilities>[1];

const ABLE: readonly Capability[] = ['ConditionalWrite', 'Versions'];

function aBackend(kind: string, capabilities: readonly Capability[]): Backends['source'] {
  const driver = { kind, locationOf: () => ({ store: kind, path: '' }) };
  const probe = async () => ({ capabilities, server: { product: kind, version: '1' }, identity: kind });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that the preflight reads
  return { title: kind, driver, probe } as unknown as Backends['source'];
}

/** The same server as another one of its kind, at this origin. */
function at(origin: string | undefined): Backends['source'] {
  const backend = aBackend('openbao', ABLE);
  const probe: typeof backend.probe = async (which, signal) => ({
    ...(await backend.probe(which, signal)),
    ...(origin === undefined ? {} : { origin }),
  });
  return { ...backend, probe };
}

function aMigration(spec: object) {
  const parsed = parseSecretMigration({
    apiVersion: 'keyferry.io/v1alpha1',
    kind: 'SecretMigration',
    metadata: { name: 'm', namespace: 'a', uid: 'u', resourceVersion: '1', generation: 1 },
    spec: {
      source: { backendRef: { kind: 'SecretBackend', name: 'from' } },
      destination: { backendRef: { kind: 'SecretBackend', name: 'to' } },
      select: { all: true },
      ...spec,
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

async function refusal(
  spec: object,
  source: Backends['source'],
  destination: Backends['source'],
): Promise<unknown> {
  const signal = AbortSignal.timeout(1_000);
  return await requireCapabilities(aMigration(spec), { source, destination }, signal).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('one identity', () => {
  it('at two origins is refused, with both', async () => {
    const error = await refusal({}, at('https://a:8200'), at('https://b:8200'));
    expect(error).toMatchObject({ code: 'IDENTITY_SHARED', target: 'openbao, openbao' });
    expect(error).toHaveProperty('message', expect.stringMatching(/https:\/\/a:8200 and https:\/\/b:8200/));
  });

  it.each(['https://a:8200', undefined])('at one origin is one store (%s)', async (origin) => {
    expect(await refusal({}, at(origin), at(origin))).toBeUndefined();
  });

  it('of another kind says nothing', async () => {
    const other = { ...at('https://b:8200'), driver: aBackend('kubernetes', ABLE).driver };
    expect(await refusal({}, at('https://a:8200'), other)).toBeUndefined();
  });
});

describe('a capability that a migration needs and a backend lacks', () => {
  it.each([
    ['Delete', 'openbao', [], 'KV version 1'],
    ['Backup', 'openbao', ABLE, 'beside the original: kubernetes or directory. A KV path cannot.'],
    ['Project', 'openbao', ABLE, 'needs a source that pods read: kubernetes. Pods do not read KV paths.'],
    ['Project', 'directory', ABLE, 'needs a source that pods read: kubernetes. Pods do not read files'],
  ] as const)(
    'is reported at the source: %s from %s, with the text of that kind',
    async (sourcePolicy, kind, able, words) => {
      const error = await refusal({ sourcePolicy }, aBackend(kind, able), aBackend('openbao', ABLE));
      expect(error).toMatchObject({ code: 'CAPABILITY_MISSING', target: kind });
      expect(error).toHaveProperty('message', expect.stringContaining(words));
    },
  );

  it.each([
    ['openbao', {}, [], 'KV version 1'],
    ['openbao', { sourcePolicy: 'Delete' }, [...ABLE, 'SelfDestructs'], 'delete_version_after'],
    ['openbao', { conflictPolicy: 'Overwrite' }, ['ConditionalWrite'], 'max_versions 1'],
    [
      'kubernetes',
      { conflictPolicy: 'Overwrite' },
      ['ConditionalWrite'],
      'A Secret has no earlier versions.',
    ],
    ['directory', { conflictPolicy: 'Overwrite' }, ['ConditionalWrite'], 'A file has no earlier versions.'],
    ['made-up', { conflictPolicy: 'Overwrite' }, ['ConditionalWrite'], 'lacks what that takes: revisions'],
  ] as const)('at the destination, a backend of kind %s with %j', async (kind, spec, able, words) => {
    const error = await refusal(spec, aBackend('source', ABLE), aBackend(kind, able));
    expect(error).toMatchObject({ code: 'CAPABILITY_MISSING', target: kind });
    expect(error).toHaveProperty('message', expect.stringContaining(words));
  });

  it('is not reported when both backends have it', async () => {
    expect(
      await refusal({ conflictPolicy: 'Overwrite' }, aBackend('a', ABLE), aBackend('b', ABLE)),
    ).toBeUndefined();
  });
});
