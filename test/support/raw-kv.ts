import { Agent } from 'undici';
import type { Cluster } from '#test/cluster/cluster.ts';

/** Requests to the KV server as text, for JSON that a parser would change: large numbers, their spelling. */
export interface RawKv {
  /** Writes with this JSON text as the body. */
  readonly post: (path: string, body: string) => Promise<void>;
  /** The reply as the server sent it. */
  readonly get: (path: string) => Promise<string>;
}

export function rawKv(cluster: Cluster): RawKv {
  const request = async (method: 'GET' | 'POST', path: string, body: string | null): Promise<string> => {
    await using agent = new DisposableAgent(cluster.baoCaPem);
    const headers = { 'x-vault-token': cluster.rootToken };
    const reply = await agent.request({ origin: cluster.baoUrl, path: `/v1/${path}`, method, headers, body });
    const text = await reply.body.text();
    if (reply.statusCode >= 400) throw new Error(`${method} ${path}: HTTP ${reply.statusCode} ${text}`);
    return text;
  };
  return {
    post: async (path, body) => void (await request('POST', path, body)),
    get: async (path) => request('GET', path, null),
  };
}

class DisposableAgent extends Agent implements AsyncDisposable {
  constructor(ca: string) {
    super({ connect: { ca } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }
}
