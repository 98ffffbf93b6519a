import type { Permit } from '#src/ports.ts';
import type { Address } from '#src/core/document.ts';
import type { Session } from './auth/session.ts';
import type { BaoRequest } from './client.ts';
import type { JsonText } from './exact-json.ts';
import { apiPathOf, joinPath } from './path.ts';
import { failureOf, missingKindOf } from './status.ts';
import { ListReply, parseReply, V1ReadReply } from './wire.ts';

/*
 * The requests of KV version 1 that Keyferry makes, one method each. Body and reply are the plain keys; there are no
 * versions, metadata or preconditions. On a mount of version 2, the reply to these paths is a 404 that is not `absent`.
 */

export interface V1KvOptions {
  readonly session: Session;
  readonly mount: string;
  readonly prefix: string;
}

export class V1KvMount {
  readonly hasPages: boolean = false;
  readonly #options: V1KvOptions;

  constructor(options: V1KvOptions) {
    this.#options = options;
  }

  /** `<mount>/<prefix>/<address>`, not encoded, as in policies and capabilities. */
  pathOf(address: Address): string {
    return joinPath(this.#options.mount, this.#options.prefix, address);
  }

  /** The keys, as parsed; undefined if nothing exists at the address. */
  async read(address: Address, signal: AbortSignal): Promise<object | undefined> {
    const request: BaoRequest = {
      ...this.#at(address, 'openbao.read'),
      method: 'GET',
      replies: 'document',
      exactAt: ['data'],
    };
    const reply = await this.#options.session.request(request, signal);
    if (reply.status === 404 && missingKindOf(reply) === 'absent') return undefined;
    if (reply.status !== 200) throw failureOf(reply, request);
    return parseReply(V1ReadReply, reply, request).data;
  }

  /** Writes all keys, overwriting the current document. */
  async write(address: Address, fields: JsonText, permit: Permit): Promise<void> {
    const about = this.#at(address, 'openbao.write');
    await this.#change({ ...about, method: 'POST', body: fields, permit });
  }

  /** Removes the current document permanently. */
  async remove(address: Address, permit: Permit): Promise<void> {
    const about = this.#at(address, 'openbao.delete');
    await this.#change({ ...about, method: 'DELETE', permit });
  }

  async #change(
    change: Omit<BaoRequest, 'mutates' | 'permit' | 'replies'> & { permit: Permit },
  ): Promise<void> {
    const request: BaoRequest = { ...change, replies: 'small', mutates: true };
    const reply = await this.#options.session.request(request, change.permit.signal);
    if (reply.status !== 204 && reply.status !== 200) throw failureOf(reply, request);
  }

  /** The names in a folder; a folder ends in a slash. There is no paging: the first page contains everything. */
  async listPage(
    folder: Address,
    page: { readonly after: string },
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    if (page.after !== '') return [];
    const request: BaoRequest = {
      ...this.#at(folder, 'openbao.list'),
      method: 'GET',
      replies: 'folder',
      query: { list: 'true' },
    };
    const reply = await this.#options.session.request(request, signal);
    if (reply.status === 404 && missingKindOf(reply) === 'absent') return [];
    if (reply.status !== 200) throw failureOf(reply, request);
    return parseReply(ListReply, reply, request).data.keys ?? [];
  }

  #at(address: Address, op: string): Pick<BaoRequest, 'path' | 'urlTemplate' | 'op' | 'target'> {
    const path = this.pathOf(address);
    return { path: apiPathOf(path, op), urlTemplate: '/v1/{mount}/{path}', op, target: path };
  }
}
