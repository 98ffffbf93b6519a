import { describe, expect, it } from 'vitest';
import { DEFAULT_BACKEND_ANNOTATION } from '#src/api/group.ts';
import { OperatorError } from '#src/errors.ts';
import { isJsonObject } from '#src/kube/json.ts';
import { ScriptedKubeClient } from '#test/support/scripted-kube-client.ts';
import { makeDefault } from './set-default.ts';

const { signal } = new AbortController();

/** ClusterSecretBackends of these names, of which some ask; `race`: another writer, before each patch. */
function aServer(asking: Readonly<Record<string, boolean>>, race: (name: string) => void = () => undefined) {
  const asks = new Map(Object.entries(asking));
  const versions = new Map<string, number>();
  const mostAsking: number[] = [];
  const asked = (): readonly string[] => [...asks].filter(([, is]) => is).map(([name]) => name);
  const client = new ScriptedKubeClient(({ method, path, body }) => {
    if (method === 'GET') {
      const items = [...asks].map(([name, is]) => ({
        metadata: {
          name,
          uid: name,
          resourceVersion: String(versions.get(name) ?? 1),
          generation: 1,
          ...(is ? { annotations: { [DEFAULT_BACKEND_ANNOTATION]: 'true' } } : {}),
        },
      }));
      return { kind: 'ClusterSecretBackendList', metadata: { resourceVersion: '1' }, items };
    }
    const name = path.split('/').at(-1) ?? '';
    race(name);
    const metadata = isJsonObject(body) ? body['metadata'] : undefined;
    if (!isJsonObject(metadata) || !isJsonObject(metadata['annotations']))
      throw new Error('a patch of annotations');
    if (metadata['resourceVersion'] !== String(versions.get(name) ?? 1))
      throw new OperatorError('VERSION_CONFLICT', { op: 'test' });
    asks.set(name, metadata['annotations'][DEFAULT_BACKEND_ANNOTATION] === 'true');
    versions.set(name, (versions.get(name) ?? 1) + 1);
    mostAsking.push(asked().length);
    return {};
  });
  const changedByOther = (name: string, is: boolean): void => {
    asks.set(name, is);
    versions.set(name, (versions.get(name) ?? 1) + 1);
  };
  return { cluster: { client, signal }, asked, mostAsking, changedByOther };
}

describe('backend set-default', () => {
  it('makes one backend the default, and there is one at every instant', async () => {
    const { cluster, asked, mostAsking } = aServer({ kubernetes: true, other: true, bao: false });
    expect(await makeDefault(cluster, 'bao')).toBe(true);
    expect(asked()).toEqual(['bao']);
    expect(Math.min(...mostAsking)).toBeGreaterThan(0);
  });

  it('changes nothing that is so already', async () => {
    const { cluster } = aServer({ bao: true, other: false });
    expect(await makeDefault(cluster, 'bao')).toBe(false);
    expect(cluster.client.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  it('reads again what another client changes meanwhile', async () => {
    let races = 1;
    const server = aServer({ kubernetes: true, bao: false }, () => {
      if (races === 0) return;
      races -= 1;
      server.changedByOther('bao', false);
      server.changedByOther('third', true);
    });
    expect(await makeDefault(server.cluster, 'bao')).toBe(true);
    expect(server.asked()).toEqual(['bao']);
  });

  it('gives up when another client always wins', async () => {
    const server = aServer({ kubernetes: true, bao: false }, (name) =>
      server.changedByOther(name, name !== 'bao'),
    );
    await expect(makeDefault(server.cluster, 'bao')).rejects.toThrow(/at the same time/);
  });

  it('names the backends that there are when this one does not exist', async () => {
    const { cluster } = aServer({ kubernetes: true });
    await expect(makeDefault(cluster, 'bao')).rejects.toThrow('There are: kubernetes.');
  });
});
