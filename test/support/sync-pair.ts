import { MemoryDriver } from '#src/backends/memory/driver.ts';
import type { Hook } from '#src/backends/memory/hooks.ts';
import { MemoryStore } from '#src/backends/memory/store.ts';
import { sameFields, type Document, type ReadResult, type StoredDocument } from '#src/core/document.ts';
import { compileKeyNames } from '#src/core/mapping/key-names.ts';
import { recordedVersion, type Base } from '#src/core/outcome.ts';
import { otherSide, type BySide, type Found, type Observed, type Side } from '#src/core/sync/observed.ts';
import { decideSync, type SyncPolicy, type SyncStep } from '#src/core/sync/three-way.ts';
import { withBaseBytes } from '#src/engine/sync/base.ts';
import { ManualClock } from './manual-clock.ts';
import { permitted } from './permit.ts';

interface Options {
  /** Sides whose store keeps history. Default: the destination. */
  readonly keepsHistory?: readonly Side[];
  /** Called before each read of one of the stores. */
  readonly before?: Hook;
}

const ADDRESS = 'app';
const SIGNAL = new AbortController().signal;

/**
 * One document in two stores in memory, kept in step by the decision and the base, without an engine around them: the keys of
 * the source have other names at the destination.
 */
export class SyncPair {
  readonly stores: BySide<MemoryStore>;
  /** The base that the last pass recorded. */
  base: Base | undefined;
  /** Values that a pass stored as backups. */
  readonly backups: string[] = [];
  /** Revisions that were read from a history: `destination 3`. */
  readonly asked: string[] = [];
  readonly #drivers: BySide<MemoryDriver>;
  readonly #keepsHistory: readonly Side[];
  readonly #names = compileKeyNames([{ from: 'key', to: 'KEY' }]);

  constructor({ keepsHistory = ['destination'], before }: Options = {}) {
    const clock = new ManualClock();
    this.#keepsHistory = keepsHistory;
    const storeOf = (side: Side): MemoryStore =>
      new MemoryStore({ name: side, clock, keepsRevisions: keepsHistory.includes(side) });
    this.stores = { source: storeOf('source'), destination: storeOf('destination') };
    const driverOf = (side: Side): MemoryDriver => {
      const hook: Hook = async (call) => {
        if (call.operation === 'read' && call.revision !== undefined)
          this.asked.push(`${side} ${call.revision}`);
        await before?.(call);
      };
      return new MemoryDriver({ store: this.stores[side], hooks: { before: hook } });
    };
    this.#drivers = { source: driverOf('source'), destination: driverOf('destination') };
  }

  /** Acts as a user. */
  put(side: Side, value: string): void {
    this.stores[side].put(ADDRESS, { [side === 'source' ? 'key' : 'KEY']: value });
  }

  /** Acts as a user. */
  remove(side: Side): void {
    if (this.valueAt(side) !== undefined) this.stores[side].remove(ADDRESS);
  }

  valueAt(side: Side): string | undefined {
    return Object.values(this.stores[side].textAt(ADDRESS) ?? {})[0];
  }

  /** True if a version that the store still has is this value. */
  remembers(side: Side, value: string): boolean {
    const store = this.stores[side];
    const revisions = Array.from({ length: 100 }, (_, index) => store.stateAt(ADDRESS, String(index + 1)));
    return revisions.some((state) =>
      [...(state?.fields.values() ?? [])].some((bytes) => bytes.toString() === value),
    );
  }

  /** Removes the document with its history. */
  purge(side: Side): void {
    this.stores[side].purge(ADDRESS);
  }

  /** Keeps only so many versions from the next write on. */
  keep(side: Side, revisions: number): void {
    this.stores[side].keep(ADDRESS, revisions);
  }

  /** Reads both sides and decides. */
  async decide(policy: SyncPolicy): Promise<SyncStep> {
    const signal = SIGNAL;
    const results = {
      source: await this.#drivers.source.read(ADDRESS, signal),
      destination: await this.#drivers.destination.read(ADDRESS, signal),
    };
    const documents = { source: documentIn(results.source), destination: documentIn(results.destination) };
    const { destination, source } = documents;
    const observed: Observed = {
      base: this.base,
      sides: {
        source: this.#foundIn('source', results.source),
        destination: this.#foundIn('destination', results.destination),
      },
      areEqual:
        source !== undefined &&
        destination !== undefined &&
        sameFields(this.#atDestination(source), destination),
    };
    const historyOf = (side: Side) => ({
      reader: this.#drivers[side],
      address: ADDRESS,
      keepsVersions: this.#keepsHistory.includes(side),
      current: documents[side],
    });
    const histories = {
      sides: { source: historyOf('source'), destination: historyOf('destination') },
      atDestination: (document: Document) => this.#atDestination(document),
      signal,
    };
    return decideSync(policy, await withBaseBytes(policy, observed, histories));
  }

  /** One pass: decides and carries the step out. `isRecorded` false: the process is killed before it records the base. */
  async pass(policy: SyncPolicy, isRecorded = true): Promise<SyncStep> {
    const step = await this.decide(policy);
    const base = await this.#carryOut(step);
    if (base !== undefined && isRecorded) this.base = base;
    return step;
  }

  async #carryOut(step: SyncStep): Promise<Base | undefined> {
    if (step.kind === 'moveBase') {
      const { source, destination } = step.base;
      return { source: recordedVersion(source), destination: recordedVersion(destination) };
    }
    if (step.kind === 'remove')
      await this.#drivers[step.from].delete(ADDRESS, step.expect, permitted(SIGNAL));
    if (step.kind !== 'write' && step.kind !== 'restore') return undefined;
    const value = this.valueAt(step.to);
    if (step.kind === 'restore' && step.keepFirst && value !== undefined) this.backups.push(value);
    const from = documentIn(await this.#drivers[otherSide(step.to)].read(ADDRESS, SIGNAL));
    if (from === undefined) throw new Error('copies what is not there');
    const copy = step.to === 'destination' ? this.#atDestination(from) : this.#atSource(from);
    const written = await this.#drivers[step.to].write(copy, step.expect, permitted(SIGNAL));
    return { [step.to]: recordedVersion(written), [otherSide(step.to)]: recordedVersion(step.copies) };
  }

  #foundIn(side: Side, result: ReadResult): Found {
    if (result.state !== 'present') return result;
    const keepsHistory = this.#keepsHistory.includes(side) && this.stores[side].keptAt(ADDRESS) > 1;
    return { state: 'present', version: result.document.version, isMarked: true, keepsHistory };
  }

  #atDestination(document: Document): Document {
    return { ...document, fields: this.#names.rename(document.fields) };
  }

  #atSource(document: Document): Document {
    const fields = new Map([...document.fields].map(([, value]) => ['key', value]));
    return { ...document, fields };
  }
}

function documentIn(result: ReadResult): StoredDocument | undefined {
  return result.state === 'present' ? result.document : undefined;
}
