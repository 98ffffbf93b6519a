import {
  sameVersion,
  type Address,
  type ReadResult,
  type StoredDocument,
  type Version,
} from '#src/core/document.ts';
import { errorOf } from '#src/errors.ts';
import { escapedName } from '#src/errors/printable.ts';
import type { LeftOutReason } from '#src/errors/reasons.ts';
import { distinctIn, type Addresses } from '../addresses.ts';
import type { Driver, Location, ReadOutcome } from '../driver.ts';
import type { Refusal } from '../refusal.ts';
import type { Entry, Listed, ListedVersion, ListingProblem, ListQuery } from '../listing.ts';
import type { ReadScope } from '../hints.ts';
import { layered, type LayeredDriver } from '../layer.ts';
import { isProblem, listedAs } from '../listing-problem.ts';
import { onlyRead } from './only-read.ts';

export interface SplitOptions {
  /** The key that the value of a document has. */
  readonly key: string;
  /** Why no document of the whole is wanted, by the folder of their names, with a slash: then it is not read. */
  readonly leftOut: (folder: Address) => LeftOutReason | undefined;
}

/**
 * A flat store in which each key of a document is a document of its own, at `<name>/<key>`. It is only read. A listing reads
 * the wholes, because only their values tell the keys; the values are dropped at once.
 */
export function split(driver: Driver, options: SplitOptions): LayeredDriver {
  const view = new Split(driver, options);
  return layered(driver, {
    overrides: () => ({
      ...onlyRead('split'),
      list: (query, signal) => view.list(query, signal),
      versions: (query, signal) => view.versions(query, signal),
      read: async (address, signal, revision) => view.read(address, signal, revision),
      readMany: (addresses, signal, scope) => view.readMany(addresses, signal, scope),
      addressRefusalOf: (address) => view.addressRefusalOf(address),
      refusalOf: (document) => view.addressRefusalOf(document.address),
      locationOf: (address) => view.locationOf(address),
    }),
  });
}

/** The name of the whole that a document is a key of. */
export function wholeOf(address: Address): Address {
  const slash = address.indexOf('/');
  return slash < 0 ? address : address.slice(0, slash);
}

/** The keys of a whole in one version: names, no values. */
interface Keys {
  readonly version: Version;
  readonly names: readonly string[];
}

class Split {
  readonly #driver: Driver;
  readonly #options: SplitOptions;
  /** What was read of each whole, so that its versions are told without another read. */
  readonly #known = new Map<Address, Keys>();

  constructor(driver: Driver, options: SplitOptions) {
    this.#driver = driver;
    this.#options = options;
  }

  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Listed> {
    const entries = new Map<Address, Entry>();
    for await (const listed of this.#wanted(query, this.#listed(query, signal))) {
      if (isProblem(listed)) yield listed;
      else entries.set(listed.address, listed);
    }
    const { labelSelector } = query;
    // One call: a store that reads pages of values would read all of them for each call.
    const scope = labelSelector === undefined ? {} : { labelSelector };
    const reads = this.#driver.readMany([...entries.keys()], signal, scope);
    for await (const read of reads) {
      const entry = entries.get(read.address);
      if (entry !== undefined) yield* this.#entries(entry, read);
    }
  }

  async *versions(query: ListQuery, signal: AbortSignal): AsyncGenerator<ListedVersion> {
    const unread: Address[] = [];
    for await (const listed of this.#wanted(query, this.#told(query, signal))) {
      const known = this.#knownOf(listed);
      if (isProblem(listed)) yield listed;
      else if (known !== undefined) yield* this.#states(listed.address, known);
      else if (listed.state === 'present' || listed.state === 'unknown') unread.push(listed.address);
    }
    for await (const read of this.#driver.readMany(unread, signal)) {
      const keys = this.#keysIn(read);
      if (keys === undefined) continue;
      if ('problem' in keys) yield keys;
      else yield* this.#states(read.address, keys);
    }
  }

  async read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult> {
    return this.#pieceOf(address, await this.#driver.read(wholeOf(address), signal, revision));
  }

  async *readMany(
    addresses: Addresses,
    signal: AbortSignal,
    { listed: _pieces, others: _pieceNames, ...scope }: ReadScope = {},
  ): AsyncGenerator<ReadOutcome> {
    const pieces = Map.groupBy(distinctIn(addresses), wholeOf);
    for await (const read of this.#driver.readMany([...pieces.keys()], signal, scope)) {
      for (const address of pieces.get(read.address) ?? [])
        yield 'error' in read
          ? { address, error: read.error }
          : { address, result: this.#pieceOf(address, read.result) };
    }
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    const whole = this.#driver.addressRefusalOf(wholeOf(address));
    if (whole !== undefined) return whole;
    const [, ...segments] = address.split('/');
    if (segments.length > 0 && segments.every((each) => !['', '.', '..'].includes(each))) return undefined;
    const message =
      'A document here is a key of a Secret or file: <name>/<key>, in which no segment is ".", ".." or empty.';
    return { reason: 'PathRefused', message };
  }

  /** A document without a slash is none here; its location is that of the whole. */
  locationOf(address: Address): Location {
    const whole = wholeOf(address);
    const location = this.#driver.locationOf(whole);
    return { store: location.store, path: location.path + address.slice(whole.length) };
  }

  /** A folder is one whole: its name is known already. */
  #listed(query: ListQuery, signal: AbortSignal): AsyncIterable<Listed> | Iterable<Listed> {
    const { onVersion: _ofWholes, ...asked } = query;
    return query.folder === '' ? this.#driver.list(asked, signal) : [{ address: query.folder }];
  }

  /** What the caller wants says nothing of the wholes. */
  #told(
    { wants: _wants, ...query }: ListQuery,
    signal: AbortSignal,
  ): AsyncIterable<ListedVersion> | Iterable<ListedVersion> {
    if (query.folder === '') return this.#driver.versions(query, signal);
    return [{ address: query.folder, state: 'unknown' }];
  }

  /** Counts the wholes that are left out, and does not read them. */
  async *#wanted<T extends Listed | ListedVersion>(
    query: ListQuery,
    all: AsyncIterable<T> | Iterable<T>,
  ): AsyncGenerator<T> {
    const seen = new Set<Address>();
    for await (const listed of all) {
      if (seen.has(listed.address)) continue;
      seen.add(listed.address);
      const reason = this.#options.leftOut(`${listed.address}/`);
      if (reason === undefined) yield listed;
      else query.leftOut?.(reason);
    }
  }

  *#entries(entry: Entry, read: ReadOutcome): Generator<Listed> {
    const keys = this.#keysIn(read);
    if (keys === undefined) return;
    if ('problem' in keys) yield keys;
    else
      for (const name of keys.names)
        yield listedAs({ ...entry, ...typeIn(read), address: `${entry.address}/${name}` }, (each) =>
          this.addressRefusalOf(each),
        );
  }

  /** The keys of a whole that is still in the version in which they were read. */
  #knownOf(listed: ListedVersion): Keys | undefined {
    if (isProblem(listed) || listed.state !== 'present') return undefined;
    const known = this.#known.get(listed.address);
    return known !== undefined && sameVersion(known.version, listed.version) ? known : undefined;
  }

  *#states(whole: Address, { names, version }: Keys): Generator<ListedVersion> {
    for (const name of names) {
      const listed = listedAs({ address: `${whole}/${name}` }, (each) => this.addressRefusalOf(each));
      yield isProblem(listed) ? listed : { address: listed.address, state: 'present', version };
    }
  }

  /** Undefined if there is nothing to split. What is in a whole that cannot be read is unknown. */
  #keysIn(read: ReadOutcome): Keys | ListingProblem | undefined {
    this.#known.delete(read.address);
    if ('error' in read) return { address: escapedName(`${read.address}/`), problem: errorOf(read.error) };
    if (read.result.state !== 'present') return undefined;
    const { fields, version } = read.result.document;
    const keys = { version, names: [...fields.keys()] };
    this.#known.set(read.address, keys);
    return keys;
  }

  #pieceOf(address: Address, found: ReadResult): ReadResult {
    const whole = wholeOf(address);
    if (address === whole) return { state: 'absent' };
    if (found.state !== 'present') return found;
    const value = found.document.fields.get(address.slice(whole.length + 1));
    if (value === undefined) return { state: 'absent' };
    // What the whole says of another store is about the whole.
    const { reflects: _reflects, ...document } = found.document;
    const piece: StoredDocument = { ...document, address, fields: new Map([[this.#options.key, value]]) };
    return { state: 'present', document: piece };
  }
}

function typeIn(read: ReadOutcome): Pick<Entry, 'type'> {
  if ('error' in read || read.result.state !== 'present') return {};
  const { type } = read.result.document.attributes;
  return type === undefined ? {} : { type };
}
