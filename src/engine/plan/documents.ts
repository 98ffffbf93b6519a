import { KeyIndex } from '#src/core/key-index.ts';
import type { Address } from '#src/core/document.ts';
import type { Route } from '#src/core/mapping/route.ts';
import type { Mark, NameTable } from '#src/core/name-table.ts';
import { OperatorError } from '#src/errors.ts';
import type { PlannedDocument } from './plan.ts';
import type { NamedDocument } from './reserved-names.ts';

/** What is noted of a document. Bit 1 belongs to the count of the inventory. */
export const MARKS = {
  /** It is to be processed. */
  selected: 2,
  /** The source lists it, or the spec names it. */
  listed: 4,
  /** The listing of the destination shows that its address is free. */
  free: 8,
  /** … that it is taken. */
  taken: 16,
  /** … that something is there, and cannot tell what. */
  unclear: 16_384,
  /** An earlier run left it there, so it is read in any case. */
  recorded: 32,
  /** Mode Sync: an earlier run recorded it, and the source does not list it. */
  unlisted: 64,
  /** An earlier run proved it. */
  proven: 128,
  /** Its values arrived. */
  read: 256,
  /** It was decided. */
  decided: 512,
  /** Its overwrite is on record. */
  announced: 1024,
  /** The migration writes it, as it told the others. */
  written: 2048,
  /** The migration removes it, as it told the others. */
  removed: 4096,
  /** Mode Sync: certainly in step, so it is not read. */
  inStep: 8192,
} as const satisfies Record<string, Mark>;

/**
 * The documents of one run, by number: a name and some bits for each (ADR 0081). Addresses follow from the name, and are made when
 * somebody asks; only one that does not follow is stored.
 */
export class Documents implements Iterable<PlannedDocument> {
  readonly #route: Route;
  /** Includes the names of documents that are not selected, and of what cannot be listed. */
  readonly names: NameTable;
  readonly #destinations = new Map<number, Address>();
  readonly #labels = new Map<number, NamedDocument['labels']>();
  /** Where the values of a document were found, if not at its own address. */
  readonly #oldSources = new Map<number, Address>();
  readonly #byOldSource = new Map<Address, number>();
  readonly #byDestination = new KeyIndex((item) => this.destinationAt(item));
  #size = 0;

  constructor(route: Route, names: NameTable) {
    this.#route = route;
    this.names = names;
  }

  /** Documents that are selected. */
  get size(): number {
    return this.#size;
  }

  /** Selects the document with this number. Labels are kept only for a path that needs them. */
  select(item: number, labels: NamedDocument['labels'] = {}): void {
    if (!this.is(item, MARKS.selected)) this.#size += 1;
    this.names.mark(item, MARKS.selected | MARKS.listed);
    if (this.#route.needsLabels) this.#labels.set(item, labels);
  }

  /** Mode Sync: selects a document that the source does not list. */
  selectUnlisted(item: number, destination: Address): void {
    this.select(item);
    this.names.mark(item, MARKS.unlisted);
    this.place(item, destination);
    this.#byDestination.add(item, destination);
  }

  /** It is not processed after all. */
  drop(item: number): void {
    if (this.is(item, MARKS.selected)) this.#size -= 1;
    this.names.unmark(item, MARKS.selected);
  }

  /** Numbers of documents with this mark; default: of all that are selected. They can be dropped meanwhile. */
  with(mark: Mark = MARKS.selected): Iterable<number> {
    return this.names.marked(mark);
  }

  is(item: number, mark: Mark): boolean {
    return this.names.isMarked(item, mark);
  }

  mark(item: number, mark: Mark): void {
    this.names.mark(item, mark);
  }

  unmark(item: number, mark: Mark): void {
    this.names.unmark(item, mark);
  }

  indexOf(name: string): number | undefined {
    return this.names.indexOf(name);
  }

  /** True for a name that was noted with this mark. */
  isNamed(name: string, mark: Mark): boolean {
    const item = this.names.indexOf(name);
    return item !== undefined && this.is(item, mark);
  }

  /** Of all that are selected. */
  *selectedNames(): Generator<string> {
    for (const item of this.with()) yield this.nameAt(item);
  }

  nameAt(item: number): string {
    return this.names.nameAt(item);
  }

  /** Its own address at the source. */
  sourceAt(item: number): Address {
    return this.#route.sourceOf(this.nameAt(item));
  }

  /** Where its values are read. */
  readAt(item: number): Address {
    return this.#oldSources.get(item) ?? this.sourceAt(item);
  }

  /** Throws `INVARIANT` for a document without a place. */
  destinationAt(item: number): Address {
    const placed = this.#destinations.get(item);
    if (placed !== undefined) return placed;
    const target = this.#route.destinationOf(this.nameAt(item), this.#labels.get(item) ?? {});
    if ('path' in target) return target.path;
    throw new OperatorError('INVARIANT', { op: 'engine.inventory', target: this.nameAt(item) });
  }

  /** It goes where its name does not tell. */
  place(item: number, destination: Address): void {
    this.#destinations.set(item, destination);
  }

  /** Every path is known: labels are needed no more. */
  dropLabels(): void {
    this.#labels.clear();
  }

  /** Its overwrite is announced: then it is read again, where it was read. */
  announce({ name, source }: PlannedDocument): void {
    const item = this.indexOf(name);
    if (item === undefined) return;
    this.mark(item, MARKS.announced);
    if (source === this.sourceAt(item)) return;
    this.#oldSources.set(item, source);
    this.#byOldSource.set(source, item);
  }

  /** From now on the document is found by its destination. Returns another one that has the same. */
  indexDestination(item: number): number | undefined {
    return this.#byDestination.add(item, this.destinationAt(item));
  }

  findDestination(address: Address): number | undefined {
    return this.#byDestination.find(address);
  }

  /** The document with this address of its own at the source. */
  findSource(address: Address): number | undefined {
    const name = this.#route.nameOf(address) ?? this.#route.nestedNameOf(address);
    const item = name === undefined ? undefined : this.names.indexOf(name);
    return item !== undefined && this.sourceAt(item) === address ? item : undefined;
  }

  /** The document whose values are read there. */
  findReadAt(address: Address): number | undefined {
    return this.#byOldSource.get(address) ?? this.findSource(address);
  }

  at(item: number): PlannedDocument {
    return {
      name: this.nameAt(item),
      source: this.readAt(item),
      destination: this.destinationAt(item),
      isNew: this.is(item, MARKS.free),
      ...(this.is(item, MARKS.unlisted) ? { isUnlisted: true } : {}),
    };
  }

  /** Before its destination is known. */
  named(item: number): NamedDocument {
    return { name: this.nameAt(item), source: this.sourceAt(item), labels: this.#labels.get(item) ?? {} };
  }

  /** All that are selected, made one at a time. */
  *[Symbol.iterator](): Generator<PlannedDocument> {
    for (const item of this.with()) yield this.at(item);
  }

  /** The same before their destinations are known. */
  *allNamed(): Generator<NamedDocument> {
    for (const item of this.with()) yield this.named(item);
  }
}
