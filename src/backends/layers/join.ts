import type { Address, ReadResult } from '#src/core/document.ts';
import { sameVersion } from '#src/core/document.ts';
import type { JoinedKeys } from '#src/core/mapping/joined-keys.ts';
import { OperatorError } from '#src/errors.ts';
import type { Driver, ReadOutcome } from '../driver.ts';
import type { Listed, ListedVersion, ListQuery, VersionState } from '../listing.ts';
import { joinedResult, MAX_JOINED_BYTES, type Parts, tooLarge } from './joined-document.ts';
import { joinedVersion } from './joined-version.ts';
import { layered, type LayeredDriver } from '../layer.ts';
import { isProblem, listedAs } from '../listing-problem.ts';
import type { Addresses } from '../addresses.ts';
import { readEach } from '../read-each.ts';
import { onlyRead } from './only-read.ts';

/** Parts of one document. */
export const MAX_PARTS = 256;
/** How often the parts are read until nobody changes one meanwhile. */
const ATTEMPTS = 3;
/** Of the concurrent requests of a store, those for one folder: so many requests are one folder that is read. */
const REQUESTS_OF_A_FOLDER = 4;

/**
 * A tree store in which each folder that directly contains documents is one document: its address is that of the folder, and
 * its keys are those of its parts. It is only read. A part that cannot be read, or has no value, fails the whole document.
 */
export function joined(driver: Driver, keys: JoinedKeys): LayeredDriver {
  const join = new Join(driver, keys);
  return layered(driver, {
    overrides: () => ({
      ...onlyRead('join'),
      list: (query, signal) => join.list(query, signal),
      versions: (query, signal) => join.versions(query, signal),
      read: async (address, signal, revision) => join.read(address, signal, revision),
      readMany: (addresses, signal) => join.readMany(addresses, signal),
    }),
  });
}

class Join {
  readonly #driver: Driver;
  readonly #keys: JoinedKeys;

  constructor(driver: Driver, keys: JoinedKeys) {
    this.#driver = driver;
    this.#keys = keys;
  }

  /** A document that is not in a folder below that of the query is not a part: it is counted as left out. */
  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Listed> {
    const seen = new Set<Address>();
    for await (const listed of this.#driver.list(below(query), signal)) {
      const { address } = listed;
      const folder = folderOf(address);
      if (isFolderProblem(listed)) yield listed;
      else if (!isBelow(folder, query.folder)) {
        if (!seen.has(address)) query.leftOut?.('OtherPath');
        seen.add(address);
      } else if (!seen.has(folder)) {
        seen.add(folder);
        yield listedAs({ address: folder }, (each) => this.#driver.addressRefusalOf(each));
      }
    }
  }

  /** `unknown` for a document that only a read can tell of, because of one of its parts. */
  async *versions(query: ListQuery, signal: AbortSignal): AsyncGenerator<ListedVersion> {
    const folders = new Map<Address, Map<string, VersionState>>();
    for await (const listed of this.#driver.versions(below(query), signal)) {
      const folder = folderOf(listed.address);
      if (isFolderProblem(listed)) yield listed;
      else if (isBelow(folder, query.folder)) {
        const parts = folders.get(folder) ?? new Map<string, VersionState>();
        folders.set(folder, parts.set(nameOf(listed.address), stateOf(listed)));
      }
    }
    for (const [address, parts] of folders) {
      const problem = listedAs({ address }, (each) => this.#driver.addressRefusalOf(each));
      yield isProblem(problem) ? problem : { address, ...joinedState(parts) };
    }
  }

  async read(address: Address, signal: AbortSignal, revision?: string): Promise<ReadResult> {
    this.#requireAddress(address);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      // oxlint-disable-next-line eslint/no-await-in-loop -- again only if a part changed meanwhile
      const parts = await this.#readParts(address, signal);
      if (parts === undefined) continue;
      const found = joinedResult(address, parts, this.#keys);
      const isOther =
        revision !== undefined && found.state !== 'absent' && versionIn(found)?.revision !== revision;
      return isOther ? { state: 'absent' } : found;
    }
    throw new OperatorError('PARTS_CHANGING', { op: 'join.read', target: address });
  }

  async *readMany(addresses: Addresses, signal: AbortSignal): AsyncGenerator<ReadOutcome> {
    const read = async (address: Address): Promise<ReadResult> => this.read(address, signal);
    const width = (): number => Math.ceil(this.#driver.traits.concurrency / REQUESTS_OF_A_FOLDER);
    yield* readEach(addresses, { width, read, signal });
  }

  /**
   * What the folder contains at one moment: names first, then all values, then the versions of all names. A version that is
   * still the one that was read was there at the moment between. Undefined if anything changed.
   */
  async #readParts(folder: Address, signal: AbortSignal): Promise<Parts | undefined> {
    const names = await this.#names(folder, signal);
    const parts = await this.#values(folder, names, signal);
    if (parts.size === 0) return parts;
    const after = await this.#states(folder, signal);
    if (after.size !== parts.size) return undefined;
    const unknown: Address[] = [];
    for (const [address, result] of parts) {
      const state = after.get(address);
      if (state?.state === 'unknown') unknown.push(address);
      else if (state === undefined || !isStill(result, state)) return undefined;
    }
    if (unknown.length === 0) return parts;
    const again = await this.#values(folder, unknown, signal);
    return unknown.every((address) => isSame(parts.get(address), again.get(address))) ? parts : undefined;
  }

  async #names(folder: Address, signal: AbortSignal): Promise<readonly Address[]> {
    const names = new Set<Address>();
    for await (const listed of this.#driver.list(inside(folder), signal)) {
      if (!isPart(listed, folder)) continue;
      requireListed(listed);
      names.add(listed.address);
      if (names.size > MAX_PARTS) throw tooMany(folder);
    }
    return [...names];
  }

  async #states(folder: Address, signal: AbortSignal): Promise<ReadonlyMap<Address, VersionState>> {
    const states = new Map<Address, VersionState>();
    for await (const listed of this.#driver.versions(inside(folder), signal)) {
      if (!isPart(listed, folder)) continue;
      requireListed(listed);
      states.set(listed.address, stateOf(listed));
      if (states.size > MAX_PARTS) throw tooMany(folder);
    }
    return states;
  }

  async #values(folder: Address, names: readonly Address[], signal: AbortSignal): Promise<Parts> {
    const parts = new Map<Address, ReadResult>();
    let bytes = 0;
    for await (const outcome of this.#driver.readMany(names, signal)) {
      if ('error' in outcome) throw outcome.error;
      const { address, result } = outcome;
      if (result.state === 'present')
        for (const value of result.document.fields.values()) bytes += value.byteLength;
      if (bytes > MAX_JOINED_BYTES) throw tooLarge(folder);
      parts.set(address, result);
    }
    return parts;
  }

  #requireAddress(address: Address): void {
    const refusal = this.#driver.addressRefusalOf(address);
    if (refusal === undefined) return;
    throw new OperatorError('DOCUMENT_REFUSED', {
      op: 'join.read',
      target: address,
      detail: refusal.message,
    });
  }
}

/**
 * Skips a folder if the caller skips one that contains it: a folder is the name of a document here, so what the caller wants says
 * nothing of its parts, and the version of a part is not that of the document.
 */
function below({ onVersion: _onVersion, wants: _wants, ...query }: ListQuery): ListQuery {
  const { skips } = query;
  if (skips === undefined) return query;
  return { ...query, skips: (folder) => folder.includes('/') && skips(folderOf(folder)) };
}

function inside(folder: Address): ListQuery {
  return { folder, skips: (each) => each.startsWith(`${folder}/`) };
}

function isFolderProblem(listed: Listed | ListedVersion): boolean {
  return isProblem(listed) && listed.address.endsWith('/');
}

function isPart(listed: Listed | ListedVersion, folder: Address): boolean {
  return !isFolderProblem(listed) && folderOf(listed.address) === folder;
}

function isBelow(folder: Address, outer: Address): boolean {
  return folder !== outer && folder !== '';
}

function folderOf(address: Address): Address {
  return address.slice(0, Math.max(0, address.lastIndexOf('/')));
}

function nameOf(address: Address): string {
  return address.slice(address.lastIndexOf('/') + 1);
}

function requireListed(listed: Listed | ListedVersion): void {
  if (!isProblem(listed)) return;
  const { address, problem } = listed;
  if (problem instanceof OperatorError) throw problem;
  const detail = `Part ${nameOf(address)}: ${problem.message}`;
  throw new OperatorError('PARTS_REFUSED', { op: 'join.read', target: address, detail });
}

function tooMany(folder: Address): OperatorError {
  const detail = `There are more than ${MAX_PARTS} of them.`;
  return new OperatorError('PARTS_REFUSED', { op: 'join.read', target: folder, detail });
}

function stateOf(listed: ListedVersion): VersionState {
  return isProblem(listed) ? { state: 'unknown' } : listed;
}

/** The state of the document with parts in these states: one that its parts do not share needs a read. */
function joinedState(parts: ReadonlyMap<string, VersionState>): VersionState {
  const states = new Set([...parts.values()].map(({ state }) => state));
  const [state = 'absent'] = states;
  if (states.size > 1 || state === 'unknown') return { state: 'unknown' };
  if (state === 'absent') return { state };
  const versions = [...parts].flatMap(([name, part]) =>
    'version' in part ? [[name, part.version] as const] : [],
  );
  return { state, version: joinedVersion(versions) };
}

function isStill(result: ReadResult, now: VersionState): boolean {
  if (now.state === 'unknown' || result.state !== now.state) return false;
  const version = versionIn(result);
  return version === undefined || now.state === 'absent' || sameVersion(version, now.version);
}

function isSame(left: ReadResult | undefined, right: ReadResult | undefined): boolean {
  if (left === undefined || right === undefined || left.state !== right.state) return false;
  const [before, after] = [versionIn(left), versionIn(right)];
  return before === undefined || after === undefined ? before === after : sameVersion(before, after);
}

function versionIn(result: ReadResult): Parameters<typeof sameVersion>[0] | undefined {
  if (result.state === 'absent') return undefined;
  return result.state === 'deleted' ? result.version : result.document.version;
}
