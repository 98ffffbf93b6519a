import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { API_VERSION, KINDS } from '#src/api/group.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { ReplyError } from '#test/cluster/json-client.ts';
import type { Canary } from '#test/support/canary.ts';
import { Tenant } from '#test/support/tenant.ts';
import { HostileServer } from './hostile-server.ts';
import { tokenOf } from './victim.ts';

/** Everything that one attack consists of; its end takes it all back, so that the next one starts from peace. */
export class Attack implements AsyncDisposable {
  /** Values of the attacker that must not appear anywhere: the attacker's token is a secret of the operator, too. */
  readonly canaries: Canary[] = [];
  readonly tenants: Tenant[] = [];
  readonly #cluster: Cluster;
  readonly #cleanups: (() => Promise<void> | void)[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async server(): Promise<HostileServer> {
    const server = await HostileServer.start(this.#cluster);
    this.onEnd(async () => server[Symbol.asyncDispose]());
    return server;
  }

  /** An address that accepts connections and says nothing, not even in TLS. */
  async mute(): Promise<{ readonly url: string; readonly connections: () => number }> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      sockets.push(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.onEnd(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return { url: `https://127.0.0.1:${address.port}`, connections: () => sockets.length };
  }

  /** A namespace of the attacker. With a server, its backend `bao` leads there; otherwise to the real one. */
  async tenant(server?: { readonly url: string }): Promise<Tenant> {
    const address = server?.url ?? this.#cluster.baoUrl;
    const tenant = await Tenant.create(this.#cluster, { address });
    this.tenants.push(tenant);
    this.canaries.push(await tokenOf(tenant));
    return tenant;
  }

  /** Applies an object; false if the API server refuses it as invalid or forbidden, which ends an attack early. */
  async dare(tenant: Tenant, object: Parameters<Tenant['apply']>[0]): Promise<boolean> {
    try {
      await tenant.apply(object);
      return true;
    } catch (error) {
      if (error instanceof ReplyError && [403, 422].includes(error.status)) return false;
      throw error;
    }
  }

  /** Runs when the attack is over, the last one first. */
  onEnd(cleanup: () => Promise<void> | void): void {
    this.#cleanups.push(cleanup);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.tenants.map(async (tenant) => this.#withdraw(tenant)));
    for (const cleanup of this.#cleanups.toReversed()) await cleanup();
  }

  async #withdraw({ namespace }: Tenant): Promise<void> {
    for (const { plural } of [KINDS.SecretMigration, KINDS.SecretBackend]) {
      await this.#cluster.kube('DELETE', `/apis/${API_VERSION}/namespaces/${namespace}/${plural}`);
    }
    await this.#cluster.kube('DELETE', `/api/v1/namespaces/${namespace}/secrets`);
  }
}
