import type { JsonClient } from './json-client.ts';
import type { ClusterLayout, KvKeys } from './state.ts';

/**
 * Sealing and unsealing of the KV server through its API. The two products differ: Vault has one key share, which the
 * harness keeps; OpenBao's static seal opens itself when the process starts.
 */
export class KvServer {
  readonly #client: JsonClient;
  readonly #product: ClusterLayout['kvProduct'];

  constructor(client: JsonClient, product: ClusterLayout['kvProduct']) {
    this.#client = client;
    this.#product = product;
  }

  /** True when it is unsealed, leads its raft cluster and serves requests. */
  async isActive(): Promise<boolean> {
    return (await this.#client.reply('GET', '/v1/sys/health')).status === 200;
  }

  /** True when it answers at all, sealed or not. */
  async answers(): Promise<boolean> {
    return (await this.#client.reply('GET', '/v1/sys/seal-status')).status === 200;
  }

  /** True for a server that will not serve before somebody unseals it. */
  async isSealed(): Promise<boolean> {
    return (await this.#client.request<{ sealed: boolean }>('GET', '/v1/sys/seal-status')).sealed;
  }

  async initialize(): Promise<KvKeys> {
    const shares =
      this.#product === 'openbao'
        ? { recovery_shares: 1, recovery_threshold: 1 }
        : { secret_shares: 1, secret_threshold: 1 };
    const reply = await this.#client.request<{ root_token: string; keys_base64?: readonly string[] }>(
      'PUT',
      '/v1/sys/init',
      shares,
    );
    const unsealKey = this.#product === 'vault' ? reply.keys_base64?.[0] : undefined;
    return { rootToken: reply.root_token, ...(unsealKey === undefined ? {} : { unsealKey }) };
  }

  async unseal(unsealKey: string): Promise<void> {
    await this.#client.request('PUT', '/v1/sys/unseal', { key: unsealKey });
  }

  async seal(rootToken: string): Promise<void> {
    await this.#client.request('PUT', '/v1/sys/seal', undefined, { 'x-vault-token': rootToken });
  }
}
