import type { Location } from '#src/backends/driver.ts';
import { KeyedLock } from '#src/io/keyed-lock.ts';
import { Sweeps } from './sweeps.ts';

/** Runs a task while no other one of any of the same keys runs: see `KeyedLock.runAll`. */
export type Locks = Pick<KeyedLock, 'runAll'>;

/** Runs tasks of this process while no other process runs one. Rejects as `KeyedLock.run`. */
export interface ProcessLock {
  run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/**
 * The documents that the live migrations of this process remove and write. A document that one of them removes and
 * another one writes would let each take the value of the other for its proof, so both migrations leave it alone.
 *
 * A migration is live from its first run until it has completed, is suspended or is deleted.
 */
export class LiveMigrations {
  /** One removal at a time uses a document, as its source or as its proof. */
  readonly locks: Locks;
  /** When their stores were looked through for kept copies. */
  readonly sweeps = new Sweeps();
  readonly #uses = new Map<string, DeclaredUses>();

  /** `processes`: other processes work on the migrations of other namespaces. Default: there are none. */
  constructor(processes?: ProcessLock) {
    const inProcess = new KeyedLock();
    this.locks = processes === undefined ? inProcess : acrossProcesses(inProcess, processes);
  }

  /** The view of one migration on all others. `name`: `namespace/name`. */
  of(name: string): Crossings {
    return {
      declare: ({ removes, writes }) => {
        this.#uses.set(name, { removes: placesOf(removes), writes: placesOf(writes) });
      },
      removalOf: (location) => this.#crossing({ location, by: 'removes', name }),
      writeTo: (location) => this.#crossing({ location, by: 'writes', name }),
    };
  }

  /** The migration is no longer live. */
  withdraw(name: string): void {
    this.#uses.delete(name);
  }

  #crossing({ location, by, name }: Question): string | undefined {
    for (const [other, uses] of this.#uses) {
      if (other === name || !uses[by].has(location)) continue;
      const [writer, remover] = by === 'removes' ? [name, other] : [other, name];
      return `SecretMigration ${writer} writes this document, and SecretMigration ${remover} removes it; both leave it alone. Suspend or delete one of them.`;
    }
    return undefined;
  }
}

/** The kinds of store in which each namespace has its own documents: only its migrations reach them. */
const OF_ONE_NAMESPACE = ['kubernetes ', 'directory '];

/**
 * Documents that only one namespace reaches are locked in its process. Between two stores that others reach, a migration of
 * another namespace can take the copy for its source: the removals of one process at a time.
 */
function acrossProcesses(inProcess: Locks, processes: ProcessLock): Locks {
  const isOwn = (key: string): boolean => OF_ONE_NAMESPACE.some((kind) => key.startsWith(kind));
  return {
    runAll: async (keys, task, signal = new AbortController().signal) => {
      const lock = async () => inProcess.runAll(keys, task, signal);
      return keys.some(isOwn) ? lock() : processes.run(lock, signal);
    },
  };
}

/** What one migration does, and what the others do with the same documents. */
export interface Crossings {
  /** Replaces what this migration declared before. */
  declare(uses: Uses): void;
  /** Why this migration must not write there: another one removes the document. Undefined if none does. */
  removalOf(destination: Location): string | undefined;
  /** Why this migration must not remove the document there: another one writes it. Undefined if none does. */
  writeTo(source: Location): string | undefined;
}

/** The documents that a migration uses. They are kept for as long as it is live. */
export interface Uses {
  readonly removes: readonly Location[] | Places;
  readonly writes: readonly Location[] | Places;
}

/** Locations that somebody uses. */
export interface Places {
  has(location: Location): boolean;
}

type DeclaredUses = Readonly<Record<keyof Uses, Places>>;

interface Question {
  readonly location: Location;
  readonly by: keyof Uses;
  readonly name: string;
}

function placesOf(uses: readonly Location[] | Places): Places {
  if ('has' in uses) return uses;
  const keys = new Set(uses.map(keyOf));
  return { has: (location) => keys.has(keyOf(location)) };
}

/** Equal for equal locations. */
export function keyOf({ store, path }: Location): string {
  return `${store}\n${path}`;
}

/** True for one and the same document. */
export function areSame(left: Location, right: Location): boolean {
  return left.store === right.store && left.path === right.path;
}
