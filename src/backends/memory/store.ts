import type {
  Address,
  Attributes,
  Document,
  Pair,
  ReadResult,
  Reflected,
  StoredDocument,
  Version,
} from '#src/core/document.ts';
import { sameFields } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import type { Clock } from '#src/ports.ts';

export interface MemoryStoreOptions {
  /** Distinguishes stores in `locationOf`. */
  readonly name: string;
  readonly clock: Pick<Clock, 'now'>;
  /** Default: tree. */
  readonly addressing?: 'flat' | 'tree';
  /** Old revisions stay readable and a delete leaves a deleted version, as in KV version 2. Default: in a tree. */
  readonly keepsRevisions?: boolean;
  /** Default: in a flat store. */
  readonly keepsBackups?: boolean;
  /** Copies of values that are replaced can be kept. Default: in a flat store. */
  readonly keepsCopies?: boolean;
  /** Default: in a flat store. */
  readonly keepsProjections?: boolean;
  /** A document without attributes is Opaque and mutable. Default: in a flat store. */
  readonly statesAttributes?: boolean;
  /** It keeps what a document reflects, as the mark of Keyferry. Default: if attributes are stated. */
  readonly keepsReflected?: boolean;
  /** Versions can expire. Default: if revisions are kept. */
  readonly canExpire?: boolean;
  /** A listing shows the type of each document. Default: false. */
  readonly listsTypes?: boolean;
  /** It keeps JSON values that are not strings. Default: in a tree. */
  readonly holdsJson?: boolean;
  /** A listing of names shows versions, too, as that of Secrets does. Default: false. */
  readonly listsVersions?: boolean;
  /** `readMany` counts as fewer requests than reads. Default: false. */
  readonly readsInPages?: boolean;
  /** Its reply to a write shows what it stored, as that of the API server. Default: false. */
  readonly showsWritten?: boolean;
  /** What becomes of a document before it is stored, as an admission control can change it. Default: nothing. */
  readonly admits?: (document: Document) => Document;
  /** Whether it can hold this label, annotation or entry of metadata. Default: all. */
  readonly holdsPair?: (pair: Pair) => boolean;
}

/** One state of one incarnation. */
export interface State {
  readonly version: Version;
  readonly fields: ReadonlyMap<string, Buffer>;
  /** Keys whose bytes are JSON text. */
  readonly jsonKeys?: ReadonlySet<string>;
  readonly attributes: Attributes;
  readonly isDeleted?: true;
  readonly isUnfinished?: true;
  readonly isPrepared?: true;
  /** The mark of Keyferry: what the document was written from. */
  readonly reflects?: Reflected;
  /** The mark of Keyferry of a version that it may remove, as in KV version 2. */
  readonly isWritten?: true;
  /** Origin, if the document is marked as a projection. */
  readonly origin?: string;
  /** A finalizer: a removal only marks it as leaving. */
  readonly isHeld?: true;
  readonly isLeaving?: true;
  readonly owner?: string;
  readonly manager?: string;
  /** The claim of a removal. */
  readonly claim?: string;
  /** Of a kept copy: when it expires. */
  readonly keptUntil?: string;
}

export type Fields = Readonly<Record<string, string | Buffer>>;

/** What another writer can leave behind in addition to keys and attributes. */
export interface PutOptions {
  /** Keys whose bytes are JSON text. */
  readonly jsonKeys?: ReadonlySet<string>;
  readonly isUnfinished?: true;
  readonly isPrepared?: true;
}

/**
 * Documents in a Map. MemoryDriver works on it, and a test is another writer: the methods change the store without any
 * precondition.
 */
export class MemoryStore {
  readonly traits: Required<Omit<MemoryStoreOptions, 'clock'>>;
  readonly #clock: Pick<Clock, 'now'>;
  /** By address, oldest first; only the last one if revisions are not kept. */
  readonly #states = new Map<Address, readonly State[]>();
  readonly #backups = new Map<Address, State>();
  /** By address: how many revisions stay. */
  readonly #kept = new Map<Address, number>();
  /** True while the store and all documents in it are being deleted. */
  isLeaving = false;
  #incarnations = 0;
  #revisions = 0;

  constructor({ clock, ...options }: MemoryStoreOptions) {
    const addressing = options.addressing ?? 'tree';
    const isFlat = addressing === 'flat';
    const keepsRevisions = options.keepsRevisions ?? !isFlat;
    this.#clock = clock;
    this.traits = {
      keepsBackups: isFlat,
      keepsCopies: isFlat,
      keepsProjections: isFlat,
      statesAttributes: isFlat,
      keepsReflected: options.statesAttributes ?? isFlat,
      canExpire: keepsRevisions,
      listsTypes: false,
      holdsJson: !isFlat,
      listsVersions: false,
      readsInPages: false,
      showsWritten: false,
      admits: (document) => document,
      holdsPair: () => true,
      ...options,
      addressing,
      keepsRevisions,
    };
  }

  get backups(): Map<Address, State> {
    return this.#backups;
  }

  addresses(): readonly Address[] {
    return [...this.#states.keys()].toSorted();
  }

  now(): number {
    return this.#clock.now();
  }

  /** The current state, which may be a deleted one. */
  currentAt(address: Address): State | undefined {
    return this.#states.get(address)?.at(-1);
  }

  /** Exactly this revision if revisions are kept, else the current one. */
  stateAt(address: Address, revision: string | undefined): State | undefined {
    if (revision === undefined || !this.traits.keepsRevisions) return this.currentAt(address);
    return this.#states.get(address)?.find((state) => state.version.revision === revision);
  }

  resultOf(address: Address, state: State | undefined): ReadResult {
    if (state === undefined) return { state: 'absent' };
    const { version, attributes, isUnfinished, isPrepared, isLeaving, manager, owner } = state;
    const left = isPrepared === undefined ? {} : { prepared: true as const };
    if (state.isDeleted === true) return { state: 'deleted', version, ...left };
    if (this.hasExpired(attributes)) return { state: 'deleted', version, expired: true, ...left };
    return {
      state: 'present',
      document: {
        ...toDocument(address, state),
        version,
        ...left,
        ...markIn(state),
        ...(isUnfinished === undefined ? {} : { unfinished: true }),
        ...(isLeaving === undefined ? {} : { isLeaving }),
        ...(owner === undefined ? {} : { owner }),
        ...(manager === undefined ? {} : { manager }),
      },
    };
  }

  /** True if the current state is immutable and has other bytes, as a Secret. */
  isFixed(document: Document): boolean {
    const current = this.currentAt(document.address);
    if (current?.attributes.immutable !== true || !this.traits.statesAttributes) return false;
    return !sameFields(toDocument(document.address, current), document);
  }

  hasExpired({ expiresAt }: Attributes): boolean {
    return expiresAt !== undefined && Date.parse(expiresAt) <= this.#clock.now();
  }

  /** Another version of the same incarnation, or the first one of a new incarnation. */
  append(document: Document): Version {
    const { address, attributes } = document;
    const before = this.#states.get(address);
    const version = this.#nextVersion(before?.at(-1)?.version);
    const fields = new Map([...document.fields].map(([key, value]) => [key, Buffer.from(value.reveal())]));
    const kept = this.traits.keepsRevisions ? (before ?? []) : [];
    const json = [...document.fields].filter(([, value]) => value.isJson).map(([key]) => key);
    const jsonKeys = json.length === 0 ? {} : { jsonKeys: new Set(json) };
    const mark = this.#markOf(document);
    const states = [...kept, { version, fields, attributes, ...jsonKeys, ...mark }];
    this.#states.set(address, states.slice(-this.keptAt(address)));
    return version;
  }

  #markOf({ prunable, reflects }: Document): Pick<State, 'reflects' | 'isWritten'> {
    if (!this.traits.keepsReflected)
      return this.traits.keepsRevisions && prunable === true ? { isWritten: true } : {};
    const isKept = reflects?.version.isEphemeral !== true;
    return reflects === undefined || !isKept ? {} : { reflects };
  }

  /** Sets how many revisions of this address stay. */
  keep(address: Address, revisions: number): void {
    this.#kept.set(address, revisions);
  }

  /** How many revisions of this address stay. */
  keptAt(address: Address): number {
    return this.#kept.get(address) ?? Number.MAX_SAFE_INTEGER;
  }

  /** Changes the current state without making another version of it: custom metadata, or a bit of the disk. */
  alter(address: Address, change: Partial<Omit<State, 'version' | 'fields'>> & { fields?: Fields }): void {
    const current = this.currentAt(address) ?? missing(address);
    const { fields, ...rest } = change;
    const bytes = fields === undefined ? {} : { fields: toBytes(fields) };
    this.replaceCurrent(address, { ...current, ...rest, ...bytes });
  }

  replaceCurrent(address: Address, state: State): void {
    const older = this.#states.get(address)?.slice(0, -1) ?? [];
    this.#states.set(address, [...older, state]);
  }

  /** Another version of the current state, with the same keys and another claim. */
  touch(address: Address, { claim }: { readonly claim: string | undefined }): Version {
    const { claim: _claim, ...current } = this.currentAt(address) ?? missing(address);
    const version = this.#nextVersion(current.version);
    const next = { ...current, version, ...(claim === undefined ? {} : { claim }) };
    this.#states.set(address, [next]);
    return version;
  }

  /** Marks the current state as deleted if revisions are kept, as leaving if it is held, else forgets the document. */
  remove(address: Address): void {
    if (this.currentAt(address)?.isHeld === true) this.alter(address, { isLeaving: true });
    else if (this.traits.keepsRevisions) this.alter(address, { isDeleted: true });
    else this.purge(address);
  }

  /** Forgets the document with its history; the next one of this name is another incarnation. */
  purge(address: Address): void {
    this.#states.delete(address);
  }

  /**
   * Acts as another writer: adds a version with these keys, whatever the current state is. A mark of Keyferry stays, because
   * an edit of a Secret leaves its annotations.
   */
  put(address: Address, fields: Fields, attributes: Attributes = {}, options: PutOptions = {}): Version {
    const reflects = this.currentAt(address)?.reflects;
    const document = toDocument(address, { fields: toBytes(fields), attributes });
    const version = this.append({ ...document, ...(reflects === undefined ? {} : { reflects }) });
    this.alter(address, options);
    return version;
  }

  /** The current version as text; undefined if there is none. */
  textAt(address: Address): Readonly<Record<string, string>> | undefined {
    const state = this.currentAt(address);
    return state === undefined || state.isDeleted === true ? undefined : textOf(state);
  }

  backupAt(address: Address): Document | undefined {
    const state = this.#backups.get(address);
    return state && toDocument(address, state);
  }

  backupTextAt(address: Address): Readonly<Record<string, string>> | undefined {
    const state = this.#backups.get(address);
    return state && textOf(state);
  }

  /** In KV version 2 each path has its own counter; in Kubernetes the whole cluster shares one. */
  #nextVersion(before: Version | undefined): Version {
    if (before === undefined) this.#incarnations += 1;
    this.#revisions += 1;
    const identity = before?.identity ?? `incarnation-${this.#incarnations}`;
    const next = this.traits.keepsRevisions ? Number(before?.revision ?? 0) + 1 : this.#revisions;
    return { identity, revision: String(next) };
  }
}

function markIn({ isWritten, reflects }: State): Pick<StoredDocument, 'reflects' | 'isMarked'> {
  if (reflects !== undefined) return { reflects, isMarked: true };
  return isWritten === undefined ? {} : { isMarked: isWritten };
}

function missing(address: Address): never {
  throw new Error(`nothing is at ${address}`);
}

function toDocument(
  address: Address,
  { fields, jsonKeys, attributes }: Pick<State, 'fields' | 'jsonKeys' | 'attributes'>,
): Document {
  const valueOf = (key: string, bytes: Buffer): SecretValue =>
    jsonKeys?.has(key) === true
      ? SecretValue.fromJson(bytes.toString())
      : SecretValue.fromBytes(Buffer.from(bytes));
  const values = [...fields].map(([key, bytes]) => [key, valueOf(key, bytes)] as const);
  return { address, fields: new Map(values), attributes };
}

function toBytes(fields: Fields): ReadonlyMap<string, Buffer> {
  return new Map(Object.entries(fields).map(([key, value]) => [key, Buffer.from(value)]));
}

function textOf({ fields }: State): Readonly<Record<string, string>> {
  return Object.fromEntries([...fields].map(([key, bytes]) => [key, bytes.toString()]));
}
