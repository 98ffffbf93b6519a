import type { Address } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Listed, ListedVersion, ListingCount } from './listing.ts';

/** What one listing can have at most. docs/limits.md has the table. */
export interface ListingLimits {
  /** Documents and problems: 100,000 to move, and a tenth for names that `spec.select` excludes. */
  readonly entries: number;
  /** Folders below the folder of the query, listed or skipped. */
  readonly folders: number;
  /** Requests for pages. */
  readonly pages: number;
  /** Characters of addresses and labels. */
  readonly characters: number;
  /** Milliseconds, without the time in which requests wait for their turn. */
  readonly ms: number;
}

export const LISTING_LIMITS: ListingLimits = {
  entries: 110_000,
  folders: 100_000,
  pages: 250_000,
  characters: 32 * 1024 * 1024,
  ms: 600_000,
};

/**
 * Counts what one listing has found. Throws `SELECTION_TOO_LARGE` at the first limit that is exceeded: a server can invent
 * names without an end. The layer `bounded` makes one for each listing and counts the entries; a driver counts what the
 * layer does not see.
 */
export class ListingMeter implements ListingCount {
  readonly #limits: ListingLimits;
  readonly #where: string;
  #entries = 0;
  #folders = 0;
  #pages = 0;
  #characters = 0;

  /** `where` is for messages: the folder of the query. */
  constructor(limits: ListingLimits, where: string) {
    this.#limits = limits;
    this.#where = where;
  }

  entry(listed: Listed | ListedVersion): void {
    this.#entries += 1;
    if (this.#entries > this.#limits.entries) throw this.#exceeded(`${this.#limits.entries} names`);
    this.#add(listed.address.length);
    if (!('labels' in listed)) return;
    for (const [key, value] of Object.entries(listed.labels ?? {})) this.#add(key.length + value.length);
  }

  ahead(entries: number): void {
    if (this.#entries + entries <= this.#limits.entries) return;
    this.#entries += entries;
    throw this.#exceeded(`${this.#limits.entries} names`);
  }

  folder(folder: Address): void {
    this.#folders += 1;
    if (this.#folders > this.#limits.folders) throw this.#exceeded(`${this.#limits.folders} folders`);
    this.#add(folder.length);
  }

  page(): void {
    this.#pages += 1;
    if (this.#pages > this.#limits.pages) throw this.#exceeded(`${this.#limits.pages} pages`);
  }

  tookTooLong(): OperatorError {
    return this.#exceeded(`${this.#limits.ms / 1000} seconds`);
  }

  #add(characters: number): void {
    this.#characters += characters;
    if (this.#characters <= this.#limits.characters) return;
    throw this.#exceeded(`${this.#limits.characters} characters of names and labels`);
  }

  #exceeded(limit: string): OperatorError {
    const found = `${this.#entries} names and ${this.#folders} folders in ${this.#pages} pages`;
    return new OperatorError('SELECTION_TOO_LARGE', {
      op: 'backend.list',
      ...(this.#where === '' ? {} : { target: this.#where }),
      detail: `The listing ended at the limit of ${limit}, after ${found}.`,
    });
  }
}
