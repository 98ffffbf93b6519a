import { opendir } from 'node:fs/promises';
import type { Address } from '#src/core/document.ts';
import type { Clock } from '#src/ports.ts';
import { rollBack } from './claims.ts';
import { failureOf } from './failures.ts';
import type { Folder } from './folder.ts';
import { leftoverOf, type Leftover } from './names.ts';
import { removeQuietly } from './prepare.ts';
import { unsettledMs } from './settled.ts';

export interface RecoveryOptions {
  readonly clock: Clock;
  /** Runs the task while no change of this document is under way in this process. */
  readonly exclusively: <T>(address: string, task: () => Promise<T>) => Promise<T>;
}

/**
 * Repairs what a crash left of a change, before a read can see it as the current state:
 *
 *   aside      its name is free → rolled back; its name is taken → kept permanently under another name
 *   trash      its removal was committed → the removal continues
 *   temporary  never published, or published already → removed; it is not the only copy
 *
 * One operator works at a time (the Lease), so no leftover belongs to a change under way. If an operator works for a
 * moment after its Lease expired, its change fails and a read decides again.
 */
export class Recovery {
  readonly #options: RecoveryOptions;
  /** mtime of the folder when a scan found no leftovers; undefined: it must be scanned. */
  #cleanSince: bigint | undefined;
  #hasRun = false;
  readonly #failures = new Map<Address, unknown>();

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Runs once, before the first operation. */
  async runOnce(folder: Folder): Promise<void> {
    if (!this.#hasRun) await this.run(folder);
  }

  /** Documents whose claim the last run could not roll back: only their names seem to be free. */
  get failures(): ReadonlyMap<Address, unknown> {
    return this.#failures;
  }

  /** Throws why this document, which has no file of its name, could not be rolled back. */
  requireRecovered(address: Address): void {
    if (this.#failures.has(address)) throw this.#failures.get(address);
  }

  /** Before a change: recovers a document that the last run could not, or throws why. */
  async tryAgain(folder: Folder, address: Address): Promise<void> {
    if (!this.#failures.has(address)) return;
    await this.run(folder);
    this.requireRecovered(address);
  }

  /**
   * Runs when a document is missing and before a listing; costs one stat while no name in the folder changes. A leftover
   * that cannot be repaired concerns its own document only, see `failures`.
   */
  async run(folder: Folder): Promise<void> {
    const { mtimeNs } = await folder.stat();
    if (mtimeNs === this.#cleanSince) return;
    const leftovers = await leftoversIn(folder);
    const remaining = new Set(leftovers.map(({ address }) => address));
    for (const address of this.#failures.keys()) if (!remaining.has(address)) this.#failures.delete(address);
    for (const leftover of leftovers) {
      await this.#options.exclusively(leftover.address, async () => this.#recover(folder, leftover));
    }
    this.#hasRun = true;
    const isCertain = leftovers.length === 0 && unsettledMs(mtimeNs, this.#options.clock) === 0;
    this.#cleanSince = isCertain ? mtimeNs : undefined;
  }

  /** A forgotten temporary file would keep a value on disk; a forgotten claim would make its document absent. */
  async #recover(folder: Folder, { kind, address, file }: Leftover): Promise<void> {
    if (kind !== 'aside') return removeQuietly(folder, file);
    try {
      await rollBack(folder, address, file);
      this.#failures.delete(address);
    } catch (failure) {
      const about = { op: 'directory.recover', target: address };
      this.#failures.set(address, failureOf(failure, about));
    }
  }
}

async function leftoversIn(folder: Folder): Promise<readonly Leftover[]> {
  const found: Leftover[] = [];
  for await (const { name } of await opendir(folder.pathOf(''))) {
    const leftover = leftoverOf(name);
    if (leftover !== undefined) found.push(leftover);
  }
  return found;
}
