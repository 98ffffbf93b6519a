import type { Address, Document, Expectation, Version } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Clock, Permit } from '#src/ports.ts';
import type { WriteHint } from '../hints.ts';
import type { Destination, StoragePlan } from './codec.ts';
import { planStorage } from './codec.ts';
import { conflict, hasVersion, requireExpected } from './expectation.ts';
import type {
  KvMetadata,
  KvMetadataTree,
  MetadataChange,
  MetadataWrite,
  PathMetadata,
} from './kv-metadata.ts';
import { lifetimeLeft } from './lifetime.ts';
import { hasLabels, LIFETIME_MARKER, markersOf, marksOf, marksWith, PENDING_MARKER } from './markers.ts';
import { metadataPatch, metadataOf } from './metadata.ts';
import { formatPending } from './pending.ts';
import type { Pending } from './pending.ts';
import { lifetimeLeftBy, MAX_LOOKS, remainsOn } from './remains.ts';
import type { Remains } from './remains.ts';

/*
 * What a write puts on the path before its data, and how that is completed (the order is in writer.ts; remains.ts undoes
 * it). Nothing that belongs to another client is changed before the data is there: only keyferry-* entries and, for a
 * document that expires, the lifetime of the path, whose earlier value is recorded in keyferry-pending.
 */

export interface PreparationOptions {
  readonly metadata: KvMetadataTree;
  readonly clock: Clock;
  /** A new name for each attempt: eight hexadecimal digits. */
  readonly newWriter: () => string;
  /** True if the server compares metadata_cas. */
  readonly hasMetadataCas: () => Promise<boolean>;
}

export interface WriteTask {
  readonly document: Document;
  readonly expect: Expectation;
  readonly hint?: WriteHint | undefined;
  readonly permit: Permit;
  /** Throws if the document cannot be stored as planned. */
  readonly requireStorable: (plan: StoragePlan) => void;
}

export interface Prepared {
  readonly plan: StoragePlan;
  /** Undefined if the data needs no preparation. */
  readonly pending: Pending | undefined;
  /** The path as the preparation left it. */
  readonly path: Pick<PathMetadata, 'counter' | 'lifetime' | 'oldestVersion' | 'maxVersions'>;
}

/** A version that was written, and the path as the reply to the write shows it. */
export interface WrittenVersion {
  readonly document: Document;
  readonly version: Version;
  readonly known?: PathMetadata | undefined;
  /** What was prepared for it, if that is known here. */
  readonly pending?: Pending | undefined;
}

export class Preparations {
  readonly #options: PreparationOptions;

  constructor(options: PreparationOptions) {
    this.#options = options;
  }

  /**
   * Prepares the path for the version that the task makes. Throws `ALREADY_EXISTS` or `VERSION_CONFLICT`, with nothing
   * changed, if the path has another version than the task expects.
   */
  async begin(task: WriteTask): Promise<Prepared> {
    const created = await this.#createAtOnce(task);
    if (created !== undefined) return created;
    const { document, expect, permit } = task;
    const { address } = document;
    for (let look = 1; look <= MAX_LOOKS; look += 1) {
      const found = await this.#options.metadata.read(address, permit.signal);
      requireExpected(found, expect, address);
      const plan = planStorage(document, destinationOf(found, address));
      task.requireStorable(plan);
      const path = found.state === 'present' ? found : EMPTY_PATH;
      const step = this.#stepFor(document, plan, { path, serverTime: found.serverTime });
      if (step === undefined) return { plan, pending: undefined, path };
      const { change, pending } = step;
      const counter = await this.#apply(found, { address, change }, permit);
      if (counter === 'changed') continue;
      return { plan, pending, path: { ...path, lifetime: change.lifetime ?? path.lifetime, ...counter } };
    }
    throw conflict(expect, address);
  }

  /**
   * The same in one request, for a path that no listing showed: the server refuses metadata_cas 0 where other metadata is by now.
   * Undefined, with nothing changed, if it refused that or cannot compare: then the path is read.
   *
   * Only for such a path: what a server without metadata_cas wrote has counter 0, too, and a POST would replace its custom metadata.
   * So has a path that another client made since by data alone: the data of this write is refused then, and what was prepared
   * is undone.
   */
  async #createAtOnce({
    document,
    expect,
    hint,
    permit,
    requireStorable,
  }: WriteTask): Promise<Prepared | undefined> {
    // An expiry is counted by the clock of the server, which a read tells.
    if (hint !== 'unlisted' || expect !== 'absent' || document.attributes.expiresAt !== undefined)
      return undefined;
    const { hasMetadataCas, metadata } = this.#options;
    if (!(await hasMetadataCas())) return undefined;
    const plan = planStorage(document);
    requireStorable(plan);
    const step = this.#stepFor(document, plan, { path: EMPTY_PATH, serverTime: undefined });
    if (step === undefined) return undefined;
    if ((await metadata.create(document.address, step.change, permit)) === 'changed') return undefined;
    return { plan, pending: step.pending, path: { ...EMPTY_PATH, counter: 1 } };
  }

  /** What must be on the path before the data; undefined if the data needs nothing. */
  #stepFor(
    document: Document,
    plan: StoragePlan,
    { path, serverTime }: { readonly path: PathMetadata; readonly serverTime: number | undefined },
  ): { readonly pending: Pending; readonly change: MetadataChange } | undefined {
    const { address, attributes } = document;
    const remains = remainsOn(path, address);
    if (remains === undefined && needsNothing(document, plan, path)) return undefined;
    const set = this.#lifetimeFor(document, serverTime);
    const lifetime =
      set === undefined ? {} : { lifetime: { set, before: remains?.restored ?? path.lifetime } };
    const pending: Pending = { version: plan.version, writer: this.#options.newWriter(), ...lifetime };
    const custom = metadataPatch(path.customMetadata, {
      ...markersOf(plan.marks),
      [PENDING_MARKER]: formatPending(pending),
      [LIFETIME_MARKER]: set === undefined ? null : String(attributes.lifetime ?? 0),
    });
    return { pending, change: { custom, lifetime: set ?? remains?.restored } };
  }

  /** By the clock of the server, which decides; by the local clock if the server does not report its time. */
  #lifetimeFor({ address, attributes }: Document, serverTime: number | undefined): number | undefined {
    const { expiresAt } = attributes;
    if (expiresAt === undefined) return undefined;
    return lifetimeLeft(expiresAt, serverTime ?? this.#options.clock.now(), address);
  }

  /** The counter of the path afterwards; undefined if it is unknown. */
  async #apply(
    found: KvMetadata,
    { address, change }: { readonly address: Address; readonly change: MetadataChange },
    permit: Permit,
  ): Promise<{ readonly counter: number | undefined } | 'changed'> {
    const { metadata, hasMetadataCas } = this.#options;
    const after = (written: MetadataWrite, counter: number | undefined) =>
      written === 'changed' ? written : { counter };
    if (found.state === 'present') {
      const { counter } = found;
      const written = await metadata.patch(address, { ...change, counter }, permit);
      return after(written, counter === undefined ? undefined : counter + (change.lifetime === 0 ? 2 : 1));
    }
    if (await hasMetadataCas()) return after(await metadata.create(address, change, permit), 1);
    if ((await metadata.createEmpty(address, permit)) === 'changed') return 'changed';
    return after(await metadata.patch(address, { ...change, counter: undefined }, permit), undefined);
  }

  /**
   * Completes the metadata of a version that was written: its marks, which another client may have replaced meanwhile, the
   * metadata of the document, and the lifetime for later versions. Throws `VERSION_CONFLICT` if the version is gone.
   */
  async complete(written: WrittenVersion, permit: Permit): Promise<void> {
    const { document, known, version } = written;
    const { address } = document;
    const { metadata } = this.#options;
    let found: KvMetadata | undefined = known && { ...known, serverTime: undefined };
    for (let look = 1; look <= MAX_LOOKS; look += 1) {
      found ??= await metadata.read(address, permit.signal);
      if (found.state === 'absent' || !hasVersion(found, version)) throw conflict(version, address);
      const change = completion(written, found);
      if (Object.keys(change.custom).length === 0 && change.lifetime === undefined) return;
      const { counter } = found;
      if ((await metadata.patch(address, { ...change, counter }, permit)) === 'written') return;
      found = undefined;
    }
    throw new OperatorError('REQUEST_REJECTED', { op: 'openbao.mark', target: address, status: 400 });
  }
}

const EMPTY_PATH: PathMetadata = {
  state: 'present',
  currentVersion: 0,
  oldestVersion: 0,
  counter: undefined,
  customMetadata: new Map(),
  lifetime: 0,
  maxVersions: 0,
  versions: [],
};

/** True if the data is all that the document needs: no marks, no metadata, no expiry. */
function needsNothing(
  { attributes }: Document,
  { labels, marks }: StoragePlan,
  { customMetadata }: PathMetadata,
): boolean {
  if (hasLabels(labels) || attributes.expiresAt !== undefined) return false;
  const missing = metadataPatch(customMetadata, {
    ...markersOf(marks),
    ...metadataOf(attributes, customMetadata),
  });
  return Object.keys(missing).length === 0;
}

/** The last step of a write. What another writer has prepared for a later version stays. */
function completion({ document, version, pending }: WrittenVersion, found: PathMetadata): MetadataChange {
  const { address, attributes } = document;
  const { customMetadata } = found;
  const number = Number(version.revision);
  const remains = remainsOn(found, address) ?? lifetimeLeftBy(pending, found);
  const isOurs = remains === undefined || remains.pending.version === number;
  const at = { version: number, oldest: oldestOf(found) };
  const before = marksOf(customMetadata, address);
  const { labels } = planStorage(document, { ...at, marks: before });
  const markers = markersOf(marksWith(before, labels, at));
  const missing = metadataPatch(customMetadata, {
    ...markers,
    ...metadataOf(attributes, customMetadata),
    ...(isOurs ? { [PENDING_MARKER]: null, [LIFETIME_MARKER]: null } : {}),
  });
  // Together with what seems to be there: another client can have replaced everything since it was read.
  const stated = { ...markers, ...metadataOf(attributes, customMetadata), ...missing };
  const custom = Object.keys(missing).length === 0 ? {} : stated;
  return isOurs && hasChangedLifetime(remains)
    ? { custom, lifetime: Number(customMetadata.get(LIFETIME_MARKER) ?? attributes.lifetime ?? 0) }
    : { custom };
}

function hasChangedLifetime(remains: Remains | undefined): boolean {
  return remains?.restored !== undefined;
}

/** Undefined for a path that has never had a version: what is on it belongs to none. */
function destinationOf(found: KvMetadata, address: Address): Destination | undefined {
  if (found.state === 'absent' || found.currentVersion === 0) return undefined;
  const marks = marksOf(found.customMetadata, address);
  return { marks, version: found.currentVersion + 1, oldest: oldestOf(found) };
}

/** The server counts from 0 as long as it has purged nothing. */
function oldestOf({ oldestVersion }: PathMetadata): number {
  return Math.max(1, oldestVersion);
}
