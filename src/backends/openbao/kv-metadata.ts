import type { z } from 'zod';
import type { Address } from '#src/core/document.ts';
import type { Permit } from '#src/ports.ts';
import type { BaoReply, BaoRequest } from './client.ts';
import { parseLifetime } from './lifetime.ts';
import { apiPathOf, joinPath } from './path.ts';
import { failureOf, missingKindOf } from './status.ts';
import type { Session } from './auth/session.ts';
import { DetailedListReply, KeyInfo, KeyInfoVersion, KeyMetadataReply, parseReply } from './wire.ts';

/*
 * The requests to the metadata of a path. None of them can remove an entry of another client: a PATCH merges, and a POST
 * changes exactly the members that it names. OpenBao compares metadata_cas with a counter of its own; Vault ignores it.
 */

/** One version that still exists, destroyed or not. */
export interface KeptVersion {
  readonly number: number;
  readonly createdTime: string;
  /** Time at which the server hides or hid it; undefined if it stays. */
  readonly deletionTime: string | undefined;
  readonly isDestroyed: boolean;
}

export interface PathMetadata {
  readonly state: 'present';
  readonly currentVersion: number;
  readonly oldestVersion: number;
  /** The counter for metadata_cas; undefined if the server has none. */
  readonly counter: number | undefined;
  readonly customMetadata: ReadonlyMap<string, string>;
  /** The delete_version_after of the path itself, in seconds; 0: none. */
  readonly lifetime: number;
  /** The max_versions of the path itself; 0: that of the mount. */
  readonly maxVersions: number;
  readonly versions: readonly KeptVersion[];
}

export type KvMetadata = {
  /** Time of the server, as in BaoReply. */
  readonly serverTime: number | undefined;
} & ({ readonly state: 'absent' } | PathMetadata);

/** What tells the current version of a path. */
export type VersionsOfPath = Pick<PathMetadata, 'currentVersion' | 'versions'>;

/** A page of names with the metadata of each. */
export interface DetailedPage {
  /** Time of the server, as in BaoReply. */
  readonly serverTime: number | undefined;
  readonly entries: readonly DetailedEntry[];
}

export interface DetailedEntry {
  /** A folder ends in a slash. */
  readonly name: string;
  /** With the current version only. Undefined for a folder, and where the server has none or sends what it cannot be. */
  readonly metadata: VersionsOfPath | undefined;
}

/** A change of the metadata of a path. Everything else stays. */
export interface MetadataChange {
  /** Entries of custom_metadata; null removes. */
  readonly custom: Readonly<Record<string, string | null>>;
  /** delete_version_after in seconds; 0: versions stay. */
  readonly lifetime?: number | undefined;
}

/** `changed`: the path is not as it was read; the caller reads it again. */
export type MetadataWrite = 'written' | 'changed';

export interface KvMetadataOptions {
  readonly session: Session;
  readonly mount: string;
  readonly prefix: string;
}

export class KvMetadataTree {
  readonly #options: KvMetadataOptions;

  constructor(options: KvMetadataOptions) {
    this.#options = options;
  }

  async read(address: Address, signal: AbortSignal): Promise<KvMetadata> {
    const about = this.#at('metadata', address, 'openbao.metadata');
    const request: BaoRequest = { ...about, method: 'GET', replies: 'document' };
    const reply = await this.#options.session.request(request, signal);
    const { serverTime } = reply;
    if (reply.status === 404 && missingKindOf(reply) === 'absent') return { state: 'absent', serverTime };
    if (reply.status !== 200) throw failureOf(reply, request);
    const { data } = parseReply(KeyMetadataReply, reply, request);
    return {
      state: 'present',
      serverTime,
      currentVersion: data.current_version,
      oldestVersion: data.oldest_version,
      counter: data.current_metadata_version,
      customMetadata: data.custom_metadata,
      lifetime: parseLifetime(data.delete_version_after),
      maxVersions: data.max_versions,
      versions: Object.entries(data.versions).map(([number, version]) =>
        keptVersion(Number(number), version),
      ),
    };
  }

  /**
   * One page of the names in a folder with the metadata of each, as `KvMount.listPage` pages it. `missing`: the server has no
   * such listing, which Vault and OpenBao before 2.2 say with any 404 that is not an empty listing. `denied`: the policy has no
   * `list` on `detailed-metadata`. Throws `REPLY_TOO_LARGE` if the page does not fit into a reply.
   */
  async listDetailed(
    { folder, after, limit }: { readonly folder: Address; readonly after: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<DetailedPage | 'missing' | 'denied'> {
    const request: BaoRequest = {
      ...this.#at('detailed-metadata', folder, 'openbao.versions'),
      method: 'GET',
      replies: 'versions',
      query: { list: 'true', limit: String(limit), ...(after === '' ? {} : { after }) },
    };
    const reply = await this.#options.session.request(request, signal);
    const { serverTime, status } = reply;
    if (status === 403) return 'denied';
    if (status === 404 && missingKindOf(reply) === 'absent') return { serverTime, entries: [] };
    if (status === 404 || status === 405) return 'missing';
    if (status !== 200) throw failureOf(reply, request);
    const { data } = parseReply(DetailedListReply, reply, request);
    const { keys = [], key_info: infos = {} } = data;
    const infoOf = new Map<string, unknown>(Object.entries(infos));
    return { serverTime, entries: keys.map((name) => ({ name, metadata: currentIn(infoOf.get(name)) })) };
  }

  /**
   * Creates a path with metadata and no version, on a server with metadata_cas. `changed` if another client has written
   * metadata there meanwhile.
   */
  async create(address: Address, change: MetadataChange, permit: Permit): Promise<MetadataWrite> {
    return this.#change(address, { method: 'POST', body: { metadata_cas: 0, ...bodyOf(change) } }, permit);
  }

  /**
   * Creates a path without any metadata. Every POST sets a member; this one sets the default of the one that loses
   * nothing if another client created the path meanwhile: their custom metadata, lifetime and max_versions stay. Only a
   * cas_required that they set in these milliseconds is reset.
   */
  async createEmpty(address: Address, permit: Permit): Promise<MetadataWrite> {
    return this.#change(address, { method: 'POST', body: { metadata_cas: 0, cas_required: false } }, permit);
  }

  /**
   * Merges into custom_metadata; null removes. `changed` if the path is gone, or has another counter. A lifetime of zero is
   * a request of its own, the first.
   */
  async patch(
    address: Address,
    change: MetadataChange & { readonly counter: number | undefined },
    permit: Permit,
  ): Promise<MetadataWrite> {
    const { custom, counter, lifetime } = change;
    if (lifetime !== 0) return this.#patch(address, { ...counterOf(counter), ...bodyOf(change) }, permit);
    if ((await this.setLifetime(address, { seconds: 0, counter }, permit)) === 'changed') return 'changed';
    const next = counter === undefined ? undefined : counter + 1;
    return this.#patch(address, { ...counterOf(next), ...bodyOf({ custom }) }, permit);
  }

  async #patch(
    address: Address,
    body: Readonly<Record<string, unknown>>,
    permit: Permit,
  ): Promise<MetadataWrite> {
    const contentType = 'application/merge-patch+json';
    return this.#change(address, { method: 'PATCH', contentType, body }, permit);
  }

  /**
   * Sets how long versions that are written from now on are visible; 0 seconds: they stay. Not a patch: OpenBao 2.6 replies
   * 204 to a patch to zero and does nothing.
   */
  async setLifetime(
    address: Address,
    { seconds, counter }: { readonly seconds: number; readonly counter: number | undefined },
    permit: Permit,
  ): Promise<MetadataWrite> {
    const body = { ...counterOf(counter), delete_version_after: `${seconds}s` };
    return this.#change(address, { method: 'POST', body }, permit);
  }

  /**
   * Gives hidden or expiring versions the lifetime that the path has now, counted from now. The server ignores versions
   * that it does not have.
   */
  async undelete(address: Address, versions: readonly number[], permit: Permit): Promise<void> {
    const request: BaoRequest = {
      ...this.#at('undelete', address, 'openbao.undelete'),
      method: 'POST',
      replies: 'small',
      body: { versions },
      mutates: true,
      permit,
    };
    const reply = await this.#options.session.request(request, permit.signal);
    if (!isDone(reply)) throw failureOf(reply, request);
  }

  async #change(
    address: Address,
    how: Pick<BaoRequest, 'method' | 'body' | 'contentType'>,
    permit: Permit,
  ): Promise<MetadataWrite> {
    const at = this.#at('metadata', address, 'openbao.mark');
    const request: BaoRequest = { ...at, ...how, replies: 'small', mutates: true, permit };
    const reply = await this.#options.session.request(request, permit.signal);
    if (isDone(reply)) return 'written';
    // A patch of an absent path is a 404 without a body.
    const isGone = reply.status === 404 && how.method === 'PATCH' && reply.body === undefined;
    if (reply.status === 400 || isGone) return 'changed';
    throw failureOf(reply, request);
  }

  #at(
    tree: string,
    address: Address,
    op: string,
  ): Pick<BaoRequest, 'path' | 'urlTemplate' | 'op' | 'target'> {
    const { mount, prefix } = this.#options;
    const path = joinPath(mount, tree, prefix, address);
    return { path: apiPathOf(path, op), urlTemplate: `/v1/{mount}/${tree}/{path}`, op, target: path };
  }
}

function keptVersion(number: number, version: z.output<typeof KeyInfoVersion>): KeptVersion {
  return {
    number,
    createdTime: version.created_time,
    deletionTime: version.deletion_time === '' ? undefined : version.deletion_time,
    isDestroyed: version.destroyed,
  };
}

function currentIn(info: unknown): VersionsOfPath | undefined {
  const path = KeyInfo.safeParse(info);
  if (!path.success) return undefined;
  const { current_version: currentVersion, versions } = path.data;
  const version = KeyInfoVersion.safeParse(
    new Map<string, unknown>(Object.entries(versions)).get(String(currentVersion)),
  );
  return { currentVersion, versions: version.success ? [keptVersion(currentVersion, version.data)] : [] };
}

function isDone({ status }: BaoReply): boolean {
  return status === 204 || status === 200;
}

function counterOf(counter: number | undefined): { readonly metadata_cas?: number } {
  return counter === undefined ? {} : { metadata_cas: counter };
}

function bodyOf({ custom, lifetime }: MetadataChange): Readonly<Record<string, unknown>> {
  return {
    custom_metadata: custom,
    ...(lifetime === undefined ? {} : { delete_version_after: `${lifetime}s` }),
  };
}
