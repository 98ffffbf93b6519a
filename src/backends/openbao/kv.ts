import type { Address } from '#src/core/document.ts';
import type { Permit } from '#src/ports.ts';
import type { BaoReply, BaoRequest } from './client.ts';
import { JsonText } from './exact-json.ts';
import { KvMetadataTree } from './kv-metadata.ts';
import { apiPathOf, joinPath } from './path.ts';
import { PAGE_NAMES } from './reply-limits.ts';
import { failureOf, missingKindOf } from './status.ts';
import type { Session } from './auth/session.ts';
import { DeletedReply, ListReply, parseReply, ReadReply, WriteReply } from './wire.ts';

/*
 * The requests of KV version 2 that Keyferry makes, one method each. No decisions here: the driver decides what a
 * failed precondition means.
 */

export interface VersionInfo {
  readonly version: number;
  /** Time at which the server created this version, in nanoseconds: distinguishes incarnations with the same number. */
  readonly createdTime: string;
  /** Time at which the server hides or hid it; undefined if it stays. */
  readonly deletionTime: string | undefined;
  readonly customMetadata: ReadonlyMap<string, string>;
}

export type KvRead =
  | { readonly state: 'absent' }
  | ({ readonly state: 'deleted' } & VersionInfo)
  | ({ readonly state: 'present'; readonly data: object } & VersionInfo);

/** `rejected` is a 400: the precondition failed, or the server refuses the request itself. */
export type KvWrite = ({ readonly outcome: 'written' } & VersionInfo) | { readonly outcome: 'rejected' };

export interface KvOptions {
  readonly session: Session;
  readonly mount: string;
  readonly prefix: string;
}

/** The trees of the API below a mount. */
type Tree = 'data' | 'metadata' | 'delete';

export class KvMount {
  /** A server can ignore it. */
  readonly hasPages: boolean = true;
  readonly metadata: KvMetadataTree;
  readonly #options: KvOptions;

  constructor(options: KvOptions) {
    this.#options = options;
    this.metadata = new KvMetadataTree(options);
  }

  /** `<mount>/<tree>/<prefix>/<address>`, not encoded, as in policies and capabilities. */
  pathOf(tree: Tree, address: Address): string {
    return joinPath(this.#options.mount, tree, this.#options.prefix, address);
  }

  async read(address: Address, signal: AbortSignal, version?: string): Promise<KvRead> {
    const request: BaoRequest = {
      ...this.#at('data', address, 'openbao.read'),
      method: 'GET',
      replies: 'document',
      exactAt: ['data', 'data'],
      ...(version === undefined ? {} : { query: { version } }),
    };
    const reply = await this.#options.session.request(request, signal);
    if (reply.status === 404) return missing(reply, request);
    if (reply.status !== 200) throw failureOf(reply, request);
    const { data } = parseReply(ReadReply, reply, request);
    return { state: 'present', data: data.data, ...infoOf(data.metadata) };
  }

  /** Writes all keys as one version if `cas` is the current version; 0: if there has never been one. */
  async write(address: Address, fields: JsonText, cas: number, permit: Permit): Promise<KvWrite> {
    const request: BaoRequest = {
      ...this.#at('data', address, 'openbao.write'),
      method: 'POST',
      replies: 'small',
      body: new JsonText(`{"data":${fields.text},"options":{"cas":${cas}}}`),
      mutates: true,
      permit,
    };
    const reply = await this.#options.session.request(request, permit.signal);
    if (reply.status === 400) return { outcome: 'rejected' };
    if (reply.status !== 200) throw failureOf(reply, request);
    return { outcome: 'written', ...infoOf(parseReply(WriteReply, reply, request).data) };
  }

  /** Hides exactly this version. The server replies 204 to unknown versions and names too: read before and after. */
  async softDelete(address: Address, version: number, permit: Permit): Promise<void> {
    const request: BaoRequest = {
      ...this.#at('delete', address, 'openbao.delete'),
      method: 'POST',
      replies: 'small',
      body: { versions: [version] },
      mutates: true,
      permit,
    };
    const reply = await this.#options.session.request(request, permit.signal);
    if (reply.status !== 204 && reply.status !== 200) throw failureOf(reply, request);
  }

  /**
   * One page of the names in a folder, folders ending in a slash, in bytewise order. A server without paging ignores
   * `after` and `limit` and sends everything; `limit` undefined asks for that. An absent folder and a page after the last
   * name are both empty. Throws `REPLY_TOO_LARGE` if the names do not fit into a reply.
   */
  async listPage(
    folder: Address,
    page: { readonly after: string; readonly limit: number | undefined },
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const after = page.after === '' ? {} : { after: page.after };
    const request: BaoRequest = {
      ...this.#at('metadata', folder, 'openbao.list'),
      method: 'GET',
      replies: page.limit === undefined || page.limit > PAGE_NAMES ? 'folder' : 'page',
      query: { list: 'true', ...(page.limit === undefined ? {} : { limit: String(page.limit) }), ...after },
    };
    const reply = await this.#options.session.request(request, signal);
    if (reply.status === 404 && missingKindOf(reply) === 'absent') return [];
    if (reply.status !== 200) throw failureOf(reply, request);
    return parseReply(ListReply, reply, request).data.keys ?? [];
  }

  #at(tree: Tree, address: Address, op: string): Pick<BaoRequest, 'path' | 'urlTemplate' | 'op' | 'target'> {
    const path = this.pathOf(tree, address);
    return { path: apiPathOf(path, op), urlTemplate: `/v1/{mount}/${tree}/{path}`, op, target: path };
  }
}

function missing(reply: BaoReply, request: BaoRequest): KvRead {
  const kind = missingKindOf(reply);
  if (kind === 'other') throw failureOf(reply, request);
  if (kind === 'absent') return { state: 'absent' };
  return { state: 'deleted', ...infoOf(parseReply(DeletedReply, reply, request).data.metadata) };
}

function infoOf(metadata: {
  readonly version: number;
  readonly created_time: string;
  readonly deletion_time: string;
  readonly custom_metadata: ReadonlyMap<string, string>;
}): VersionInfo {
  return {
    version: metadata.version,
    createdTime: metadata.created_time,
    deletionTime: metadata.deletion_time === '' ? undefined : metadata.deletion_time,
    customMetadata: metadata.custom_metadata,
  };
}
