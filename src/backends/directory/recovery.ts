import { opendir } from 'node:fs/promises';
import type { Clock } from '#src/ports.ts';
import { putBack } from './aside.ts';
import type { Folder } from './folder.ts';
import { leftoverOf, type Leftover } from './names.ts';
import { removeQuietly } from './prepare.ts';
import { unsettledMs } from './settled.ts';

export interface RecoveryOptions {
  readonly clock: Clock;
  /** Runs when no change of this document is under way in this process. */
  readonly exclusively: <T>(address: string, task: () => Promise<T>) => Promise<T>;
}

/**
 * Undoes what changes left that were cut off by a crash, before anybody could take it for the state of things:
 *
 *   aside      its name is free → back; taken → kept for good under another name
 *   trash      it was compared and decided: the removal goes on
 *   temporary  never had its name, or has it already: removed, it is not the only copy of anything
 *
 * One operator works at a time (the Lease), so what is found is not under way elsewhere. Where one outlives its Lease by a
 * moment, its change fails and is decided anew by a read.
 */
export class Recovery {
  readonly #options: RecoveryOptions;
  /** When the folder changed last, as of the look that found nothing; undefined: it must be looked at. */
  #cleanSince: bigint | undefined;
  #hasLooked = false;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Once, before anything else is done. */
  async atFirst(folder: Folder): Promise<void> {
    if (!this.#hasLooked) await this.run(folder);
  }

  /** Whenever something is missing or all names are asked for; costs nothing while no name in the folder changes. */
  async run(folder: Folder): Promise<void> {
    const { mtimeNs } = await folder.stat();
    if (mtimeNs === this.#cleanSince) return;
    const leftovers = await leftoversIn(folder);
    for (const leftover of leftovers) {
      await this.#options.exclusively(leftover.address, async () => this.#recover(folder, leftover));
    }
    this.#hasLooked = true;
    const isCertain = leftovers.length === 0 && unsettledMs(mtimeNs, this.#options.clock) === 0;
    this.#cleanSince = isCertain ? mtimeNs : undefined;
  }

  /** One that stays would hold a value that nobody knows of; a document that stays aside would be taken for gone. */
  async #recover(folder: Folder, { kind, address, file }: Leftover): Promise<void> {
    if (kind === 'aside') await putBack(folder, address, file);
    else await removeQuietly(folder, file);
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
