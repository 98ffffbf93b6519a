import { API_VERSION } from '#src/api/group.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { MemoryDriver, type Verb } from '#src/backends/memory/driver.ts';
import type { Driver } from '#src/backends/driver.ts';
import { confine } from '#src/backends/layers/confine.ts';
import { shaped, storedNameOf } from '#src/backends/layers/shaped.ts';
import { withoutReserved } from '#src/backends/layers/reserved.ts';
import { all, type Hooks } from '#src/backends/memory/hooks.ts';
import { MemoryStore, type MemoryStoreOptions } from '#src/backends/memory/store.ts';
import { OPERATOR_MAY_NOT_LIST, type UnlistedBackends } from '#src/controllers/backend/trust-root.ts';
import type { Outcome, PriorRecord } from '#src/core/outcome.ts';
import type { ApplyInputs, RunResult } from '#src/engine/apply/inputs.ts';
import { Sweeps } from '#src/engine/sweeps.ts';
import { LiveMigrations } from '#src/engine/crossings.ts';
import { KeyedLock } from '#src/io/keyed-lock.ts';
import type { Rest } from '#src/io/map-concurrently.ts';
import {
  clockGate,
  credentialGate,
  crossingGate,
  knownTrustRootGate,
  listedTrustRootGate,
  trustRootGate,
  type Asked,
  type RemovalGate,
} from '#src/engine/gates.ts';
import { plannedRowsOf } from '#src/engine/plan/approved.ts';
import { toIntent } from '#src/engine/plan/compile.ts';
import { maintain, runMigration, undoMigration } from '#src/engine/run.ts';
import { inUseGate, ownedElsewhereGate, propagationGate, type AskUse, type Use } from '#src/engine/uses.ts';
import { toPriorRecords, toRows } from '#src/journal/rows.ts';
import { RowTable } from '#src/journal/table.ts';
import type { Logger } from '#src/ports.ts';
import { ManualClock } from './manual-clock.ts';

/*
 * The only file of the tests that knows how to call the engine. A test states which documents exist, what the migration
 * wants and what happens between two calls, and reads the outcome of each document.
 */

/** Source and destination of a migration, and their clock. */
export interface World {
  readonly clock: ManualClock;
  readonly source: MemoryStore;
  readonly destination: MemoryStore;
}

type StoreOptions = Partial<Omit<MemoryStoreOptions, 'clock'>>;

/** From a flat store, such as Secrets, to a tree that keeps revisions, such as KV; `same`: within the source. */
export function aWorld(source: StoreOptions = {}, destination: StoreOptions | 'same' = {}): World {
  const clock = new ManualClock();
  const from = new MemoryStore({ name: 'source', addressing: 'flat', ...source, clock });
  if (destination === 'same') return { clock, source: from, destination: from };
  return {
    clock,
    source: from,
    destination: new MemoryStore({ name: 'destination', ...destination, clock }),
  };
}

interface Spec {
  readonly source?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface EngineRun extends World {
  /** Spec of the SecretMigration, in the namespace `ns`. Default: selects everything. */
  readonly spec?: Spec;
  /** Annotations of the SecretMigration. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The folder that a backend is confined to, in a tree. Default: the whole store. */
  /** Mode Sync: the rows are those of another spec. Default: false. */
  readonly isNewSpec?: boolean;
  /** Mode Sync: the documents that may have changed. Default: a whole pass. */
  readonly only?: readonly string[];
  readonly within?: { readonly source?: string; readonly destination?: string };
  /** Prefixes of names that are reserved for others at the source. */
  readonly reserved?: readonly string[];
  /** What earlier runs recorded: `rows` of their reports, or rows made with `aRow`. */
  readonly prior?: readonly PriorRecord[];
  /**
   * With spec.approval: `plan` makes a plan; `approved` carries out the plan that the rows in `prior` have. Default: nothing waits
   * for approval.
   */
  readonly phase?: 'plan' | 'approved';
  /** `maintain`: the remaining tasks of a completed migration; `undo`: take it back. Default: a whole run. */
  readonly task?: 'run' | 'maintain' | 'undo';
  /** No earlier run of the migration wrote anything. Default: false. */
  readonly isFirstRun?: boolean;
  readonly at?: { readonly source?: Hooks; readonly destination?: Hooks };
  readonly mayNot?: { readonly source?: Denial; readonly destination?: Denial };
  /** By name of a document: the backend that reads its credentials from it. */
  readonly trustRoots?: Readonly<Record<string, string>>;
  /** The same of the documents at the destination. */
  readonly destinationTrustRoots?: Readonly<Record<string, string>>;
  /** A backend that cannot be parsed. */
  readonly unparsedBackend?: () => string | undefined;
  /** There can be backends that the operator may not list. */
  readonly unlistedBackends?: boolean;
  /** Who uses the document of this name at the source, and would delete elsewhere what it pushed of it. Default: nobody. */
  readonly usedBy?: (name: string, asked: Asked) => Use;
  readonly pushedBy?: (name: string) => Use;
  /** The server whose clock differs from that of the operator. Default: none. */
  readonly clockDiffersFrom?: string;
  readonly shouldStop?: (log: readonly string[]) => boolean;
  /** Where the run stands still between documents, while others have its worker. Default: nowhere. */
  readonly rest?: (log: readonly string[]) => Rest;
  readonly signal?: AbortSignal;
  /** Ends what a stop lets complete. Default: `signal`. */
  readonly settling?: AbortSignal;
  /** The migrations of the same process. Default: only this one. */
  readonly live?: LiveMigrations;
  readonly name?: string;
  readonly locks?: KeyedLock;
  readonly claimedAs?: string;
  /** Asked right before each change; may throw. Default: permits all. */
  readonly mayChange?: () => void;
  /** Called while the journal makes its rows durable, with the rows that the next run gets after a kill. */
  readonly onFlush?: (rows: readonly PriorRecord[]) => void;
}

type Denial = (verb: Verb, address: string) => boolean;

export interface RunReport {
  readonly result: RunResult;
  /** The last outcome of each document that the run reported, by name. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
  /** The same for one document; throws if the run did not report it. */
  outcomeOf(name: string): Outcome;
  /** In order: `source read a`, `destination write ns/a`, `row a Verified` and `flush`. */
  readonly log: readonly string[];
  /** The rows that the next run gets. */
  readonly rows: readonly PriorRecord[];
  /** Number of documents that were read at their old addresses. */
  readonly fallbacks: number;
  /** Number of sources that the run removed. */
  readonly removed: number;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

/** One run of the engine. Rejects with what the engine throws. */
export async function runEngine(run: EngineRun): Promise<RunReport> {
  const journal = new RecordingJournal(run);
  const inputs = await inputsOf(run, journal);
  const { task = 'run' } = run;
  const result = await { maintain, run: runMigration, undo: undoMigration }[task](inputs);
  const isComplete =
    run.phase !== 'approved' &&
    !result.interrupted &&
    result.problem === undefined &&
    task === 'run' &&
    run.only === undefined;
  return { result, ...journal.report(isComplete) };
}

function unlistedIn({ unlistedBackends = false }: EngineRun): UnlistedBackends | undefined {
  return unlistedBackends ? OPERATOR_MAY_NOT_LIST : undefined;
}

/** A row of an earlier run for a document. Default: verified, in version 1. */
export function aRow(name: string, more: Partial<PriorRecord> = {}): PriorRecord {
  const destination = { path: `ns/${name}`, version: '1' };
  return { name, keys: ['k'], state: 'Verified', destination, since: 0, ...more };
}

/** Where the run ends early, and where it stands still. */
function pausesOf(
  { rest, shouldStop }: EngineRun,
  { log }: RecordingJournal,
): Pick<ApplyInputs, 'rest' | 'shouldStop'> {
  return { shouldStop: () => shouldStop?.(log) ?? false, rest: rest?.(log) };
}

async function inputsOf(run: EngineRun, journal: RecordingJournal): Promise<ApplyInputs> {
  const signal = run.signal ?? new AbortController().signal;
  const migration = migrationOf(run);
  const intent = intentOf(run, migration);
  const { mapping } = migration.spec;
  const source = shaped(driverOf(run, 'source', journal.log), mapping, intent.selection);
  const destination = driverOf(run, 'destination', journal.log);
  const crossings = (run.live ?? new LiveMigrations()).of(run.name ?? 'ns/m');
  await source.probe(signal);
  await destination.probe(signal);
  journal.log.length = 0;
  const { claimedAs = 'this-run' } = run;
  const clocks = clockGate(() => run.clockDiffersFrom);
  const holderOf = (name: string): string | undefined => run.trustRoots?.[storedNameOf(mapping, name)];
  return {
    generation: 1,
    intent,
    source,
    destination,
    keepsVersions: {
      source: run.source.traits.keepsRevisions,
      destination: run.destination.traits.keepsRevisions,
    },
    trustsVersions: run.isNewSpec !== true,
    ...(run.only === undefined ? {} : { only: new Set(run.only) }),
    destinationName: 'SecretBackend b',
    permit: permitOf(run, signal),
    journal,
    prior: journal.prior,
    approved: approvedIn(run, journal),
    clock: run.clock,
    logger: silent,
    concurrency: 4,
    signal,
    ...pausesOf(run, journal),
    locks: run.locks ?? new KeyedLock(),
    sweeps: run.live?.sweeps ?? new Sweeps(),
    claimedAs,
    isStaleClaim: (by) => by !== claimedAs,
    ...(run.isFirstRun === undefined ? {} : { isFirstRun: run.isFirstRun }),
    crossings,
    gates: [
      trustRootGate(holderOf),
      knownTrustRootGate(() => run.unparsedBackend?.()),
      listedTrustRootGate(() => unlistedIn(run)),
      crossingGate((address) => crossings.writeTo(source.locationOf(address))),
      clocks,
      ...useGates(run, migration, 'source'),
    ],
    destinationGates: [
      trustRootGate((name) => run.destinationTrustRoots?.[name], 'destination'),
      knownTrustRootGate(() => run.unparsedBackend?.(), 'destination'),
      listedTrustRootGate(() => unlistedIn(run), 'destination'),
      crossingGate((address) => crossings.writeTo(destination.locationOf(address))),
      clocks,
      ...useGates(run, migration, 'destination'),
    ],
    copyGate: credentialGate(holderOf),
    expiryGate: clocks,
    onFallback: () => journal.countFallback(),
    onChanged: ({ side, address }) => void journal.log.push(`changed ${side} ${address}`),
    onRemoved: () => journal.countRemoved(),
  };
}

function intentOf(
  { destination, phase, source }: EngineRun,
  migration: SecretMigration,
): ApplyInputs['intent'] {
  const intent = toIntent(migration, { source: source.traits, destination: destination.traits });
  return phase === 'plan' ? { ...intent, dryRun: true } : intent;
}

function approvedIn({ phase }: EngineRun, { prior }: RecordingJournal): ApplyInputs['approved'] {
  return phase === undefined ? undefined : plannedRowsOf(prior.values());
}

/** As those of the operator, of a Secret at this side. */
function useGates(
  { pushedBy, usedBy }: EngineRun,
  { spec: { removal = {} } }: SecretMigration,
  side: 'source' | 'destination',
): readonly RemovalGate[] {
  const pushers: AskUse = async ({ name }) => Promise.resolve(pushedBy?.(name) ?? UNUSED);
  const users: AskUse = async ({ name }, asked) => Promise.resolve(usedBy?.(name, asked) ?? UNUSED);
  return [
    ...(removal.owned === 'Remove' ? [] : [ownedElsewhereGate(side)]),
    propagationGate(pushers, side),
    ...(removal.inUse === 'Ignore' ? [] : [inUseGate([users, pushers], side)]),
  ];
}

const UNUSED: Use = { users: { first: [], count: 0 } };

/** As that of the operator: after the signal has aborted, nothing begins. */
function permitOf(
  { mayChange = () => undefined, settling }: EngineRun,
  signal: AbortSignal,
): ApplyInputs['permit'] {
  const end = settling ?? signal;
  const toComplete = {
    signal: end,
    require: () => {
      end.throwIfAborted();
      mayChange();
    },
  };
  const require = (): void => {
    signal.throwIfAborted();
    mayChange();
  };
  return { signal, require, toComplete };
}

function driverOf(run: EngineRun, side: 'source' | 'destination', log: string[]): Driver {
  const hooks = run.at?.[side];
  const logged: Hooks['before'] = ({ operation, address }) =>
    void log.push(`${side} ${operation} ${address}`.trim());
  const before = hooks?.before === undefined ? logged : all(logged, hooks.before);
  const store = new MemoryDriver({
    store: run[side],
    hooks: { ...hooks, before },
    mayNot: run.mayNot?.[side],
  });
  const folder = run.within?.[side];
  const driver = folder === undefined ? store : confine(store, folder);
  const reserved = side === 'source' ? (run.reserved ?? []) : [];
  return withoutReserved(
    driver,
    reserved.map((prefix) => ({ prefix, allowNamespaces: [] })),
    'ns',
  );
}

function migrationOf({ annotations = {}, spec = {}, task }: EngineRun): SecretMigration {
  const { source: from, ...rest } = spec;
  const parsed = parseSecretMigration({
    apiVersion: API_VERSION,
    kind: 'SecretMigration',
    metadata: { name: 'm', namespace: 'ns', uid: 'u', generation: 1, resourceVersion: '1', annotations },
    spec: {
      select: { all: true },
      source: { backendRef: { name: 'a' }, ...from },
      destination: { backendRef: { name: 'b' } },
      ...(task === 'undo' ? { undo: true } : {}),
      ...rest,
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

/** Keeps the rows in the same table as the journal of the operator. */
class RecordingJournal {
  readonly prior: ReadonlyMap<string, PriorRecord>;
  readonly log: string[] = [];
  readonly #run: EngineRun;
  readonly #table: RowTable;
  readonly #outcomes = new Map<string, Outcome>();
  #fallbacks = 0;
  #removed = 0;

  constructor(run: EngineRun) {
    this.#run = run;
    this.prior = new Map((run.prior ?? []).map((record) => [record.name, record]));
    this.#table = new RowTable(this.prior);
  }

  expect(outcomes: Iterable<Outcome>): void {
    for (const outcome of outcomes) this.#table.expect(outcome, this.#run.clock.now());
  }

  async record(outcome: Outcome): Promise<void> {
    this.log.push(`row ${outcome.name} ${outcome.state}`);
    this.#outcomes.set(outcome.name, outcome);
    this.#table.set(outcome, this.#run.clock.now());
    return Promise.resolve();
  }

  async forget(name: string): Promise<void> {
    this.log.push(`forget ${name}`);
    this.#outcomes.delete(name);
    this.#table.delete(name);
    return Promise.resolve();
  }

  async flush(): Promise<void> {
    this.log.push('flush');
    this.#run.onFlush?.(this.#rows());
    return Promise.resolve();
  }

  #rows(): readonly PriorRecord[] {
    return [...toPriorRecords([...this.#table.entries()].flatMap(toRows)).values()];
  }

  countFallback(): void {
    this.#fallbacks += 1;
  }

  countRemoved(): void {
    this.#removed += 1;
  }

  report(isComplete: boolean): Omit<RunReport, 'result'> {
    if (isComplete) this.#table.dropUnvisited();
    const outcomes = this.#outcomes;
    return {
      outcomes,
      outcomeOf: (name) => {
        const outcome = outcomes.get(name);
        if (outcome === undefined) throw new Error(`the run did not report ${name}`);
        return outcome;
      },
      log: this.log,
      rows: this.#rows(),
      fallbacks: this.#fallbacks,
      removed: this.#removed,
    };
  }
}
