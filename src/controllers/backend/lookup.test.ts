import { describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { explain } from '#src/errors/explain.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { Store } from '#src/runtime/store.ts';
import { failureOf } from '#test/support/documents.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { BackendLookup } from './lookup.ts';

const { signal } = new AbortController();
const resource = {
  group: 'keyferry.io',
  version: 'v1alpha1',
  plural: 'backends',
  kind: 'Backend',
  namespaced: true,
};
const CAUSE = 'The Secret has no key token (Secret keyferry-system/root-token). Create it.';

type Kind = 'SecretBackend' | 'ClusterSecretBackend';

function aBackend(
  kind: Kind,
  changes: object = {},
  spec: object = { type: 'kubernetes', kubernetes: {} },
): KubeObject {
  const place = kind === 'SecretBackend' ? { namespace: 'payments' } : {};
  const metadata = { name: 'bao', ...place, uid: 'u', resourceVersion: '1', generation: 2 };
  const allowed = kind === 'SecretBackend' ? {} : { allowedNamespaces: ['payments'] };
  const condition = {
    type: 'Ready',
    status: 'False',
    reason: 'CredentialsMissing',
    message: CAUSE,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    observedGeneration: 2,
    ...changes,
  };
  const status = { observedGeneration: 2, conditions: [condition] };
  const object = { apiVersion: API_VERSION, kind, metadata, spec: { ...spec, ...allowed }, status };
  return object;
}

function aMigrationFrom(kind: Kind): SecretMigration {
  const metadata = { name: 'm', namespace: 'payments', uid: 'm', resourceVersion: '1', generation: 1 };
  const spec = { source: { backendRef: { kind, name: 'bao' } }, select: { all: true } };
  const parsed = parseSecretMigration({ apiVersion: API_VERSION, kind: 'SecretMigration', metadata, spec });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

/** What a migration says whose source is this backend. */
async function saidOf(backend: KubeObject, kind: Kind): Promise<string> {
  const client = new ScriptedKubeClient(() => backend);
  const lookup = new BackendLookup({
    backends: new ObjectClient(client, resource),
    clusterBackends: new ObjectClient(client, { ...resource, namespaced: false }),
    cache: new Store(),
    clusterCache: new Store(),
  });
  return explain(await failureOf(lookup.find(aMigrationFrom(kind), signal)), 1024);
}

describe('a migration whose backend is not Ready', () => {
  it('says why, as the backend does, and that nothing must be done here', async () => {
    expect(await saidOf(aBackend('SecretBackend'), 'SecretBackend')).toBe(
      `The backend is not Ready. CredentialsMissing: ${CAUSE.slice(0, -1)} (SecretBackend payments/bao). The migration goes on by itself once the backend is Ready.`,
    );
  });

  it('says of a ClusterSecretBackend what the reason means, but not what only an administrator may read', async () => {
    const said = await saidOf(aBackend('ClusterSecretBackend'), 'ClusterSecretBackend');
    expect(said).toContain(
      'CredentialsMissing: The Secret with the credentials of a backend is missing or incomplete',
    );
    expect(said).toContain('An administrator finds the cause');
    expect(said).not.toMatch(/root-token|keyferry-system/);
  });

  it('says of a verdict on an older spec that the new one is not probed yet', async () => {
    const said = await saidOf(aBackend('SecretBackend', { observedGeneration: 1 }), 'SecretBackend');
    expect(said).toContain('It is not probed yet');
    expect(said).not.toContain('CredentialsMissing');
  });

  it('names the field of a spec that is not valid', async () => {
    const backend = aBackend('SecretBackend', {}, { type: 'openbao' });
    expect(await saidOf(backend, 'SecretBackend')).toMatch(/spec.*openbao/);
  });

  it('names a field of its spec that only a newer version knows, although that version said it is Ready', async () => {
    const spec = { type: 'kubernetes', kubernetes: { context: 'other' } };
    const backend = aBackend('SecretBackend', { status: 'True', reason: 'Available' }, spec);
    expect(await saidOf(backend, 'SecretBackend')).toContain('does not know spec.kubernetes.context');
  });
});
