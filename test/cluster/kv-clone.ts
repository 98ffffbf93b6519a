import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { JsonClient } from './json-client.ts';
import { KvServer } from './kv-server.ts';
import { waitUntilReady } from './lifecycle.ts';
import { freePorts } from './ports.ts';
import { startProcess } from './processes.ts';
import { readState } from './state.ts';

const NAME = 'bao-clone';

/** A second KV server, started from a copy of the storage of the first. The reaper of the cluster ends it. */
export interface KvClone {
  readonly url: string;
  /** As `Cluster.bao`, with the root token that both servers have. */
  bao<T>(method: string, path: string, body?: unknown): Promise<T>;
}

/** Copies the storage while no thread of the server runs, as a snapshot of its volume would. */
export async function cloneKvServer(cluster: Cluster): Promise<KvClone> {
  const { folder } = cluster;
  const storage = join(folder, 'data', NAME);
  await cluster.pause('bao');
  cpSync(join(folder, 'data', 'bao'), storage, { recursive: true });
  cluster.resume('bao');

  const [port = 0, clusterPort = 0] = await freePorts(2);
  const state = readState(cluster.stateFile);
  const config = readFileSync(join(folder, 'bao.json'), 'utf8')
    .replaceAll(join(folder, 'data', 'bao'), storage)
    .replaceAll(`127.0.0.1:${state.ports.bao}"`, `127.0.0.1:${port}"`)
    .replaceAll(`127.0.0.1:${state.ports.baoCluster}"`, `127.0.0.1:${clusterPort}"`);
  const file = join(folder, `${NAME}.json`);
  writeFileSync(file, config, { mode: 0o600 });
  const { pid } = startProcess(folder, {
    name: NAME,
    command: cluster.baoProgram,
    args: ['server', `-config=${file}`],
  });

  const url = `https://127.0.0.1:${port}`;
  const client = new JsonClient({ origin: url, ca: cluster.baoCaPem });
  const server = new KvServer(client, state.kvProduct);
  await waitUntilReady(folder, NAME, () => server.answers(), pid);
  if (state.keys.unsealKey !== undefined) await server.unseal(state.keys.unsealKey);
  await waitUntilReady(folder, NAME, () => server.isActive(), pid);
  const headers = { 'x-vault-token': cluster.rootToken };
  return { url, bao: (method, path, body) => client.request(method, `/v1/${path}`, body, headers) };
}
