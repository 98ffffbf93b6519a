import type { Entry, ListingProblem } from '#src/backends/listing.ts';
import { isProblem } from '#src/backends/listing-problem.ts';
import type { Address, Version } from '#src/core/document.ts';
import type { InventoryCount } from '#src/core/inventory.ts';
import type { FallbackRoute } from '#src/core/mapping/route.ts';
import { NameTable, ownText } from '#src/core/name-table.ts';
import { leftOutByFolder, leftOutByName, nameIsSelected, typeIsSelected } from '#src/core/selection.ts';
import type { LeftOutReason } from '#src/errors/reasons.ts';
import { Documents, MARKS } from './documents.ts';
import { activeFallback } from './fallback.ts';
import type { PlanInputs } from './inputs.ts';
import { namesInSpec } from './names.ts';

/*
 * Lists the source. Everything that the listing yields, and everything that a layer of it leaves out, is a document of the
 * selection or is counted by reason. Reads no value.
 */

type Inputs = Pick<PlanInputs, 'intent' | 'source' | 'prior' | 'clock' | 'onVersion' | 'only' | 'signal'>;

/** What the source lists. */
export interface Discovered {
  readonly documents: Documents;
  /** What could not be listed and may have selected names, by the name for its row. */
  readonly problems: ReadonlyMap<string, ListingProblem>;
}

/** The documents of the selection; the others are counted in `count`. */
export async function discover(inputs: Inputs, count: InventoryCount): Promise<Discovered> {
  const { selection, route } = inputs.intent;
  const { only } = inputs;
  const documents = new Documents(route, count.names);
  const noProblems: Discovered = { documents, problems: new Map() };
  if (only !== undefined && !route.needsLabels) {
    discoverOnly(inputs, only, { count, documents });
    return noProblems;
  }
  // A path with labels needs the listing; plain names are read one by one, which needs no right to list.
  if (selection.scope.by === 'names' && !route.needsLabels) {
    discoverNamed(inputs, { count, documents });
    return noProblems;
  }
  const problems = await new Discovery(inputs, count, documents).run();
  if (only === undefined) return { documents, problems };
  for (const item of documents.with()) if (!only.has(documents.nameAt(item))) documents.drop(item);
  return noProblems;
}

/** What a discovery fills. */
interface Found {
  readonly count: InventoryCount;
  readonly documents: Documents;
}

function discoverNamed({ intent }: Pick<Inputs, 'intent'>, { count, documents }: Found): void {
  const { selection } = intent;
  for (const { name } of namesInSpec({ intent })) documents.select(count.discover(name));
  const named = selection.scope.by === 'names' ? new Set(selection.scope.names) : [];
  for (const name of named) {
    const reason = leftOutByName(selection, name);
    if (reason !== undefined) count.leaveOut(reason);
  }
}

/** Documents that may have changed: no listing shows them, so a read decides. */
function discoverOnly(
  { intent: { selection } }: Pick<Inputs, 'intent'>,
  only: ReadonlySet<string>,
  { count, documents }: Found,
): void {
  for (const name of only)
    if (leftOutByName(selection, name) === undefined) documents.select(count.discover(name));
}

/** One listing of the source, and of the old addresses while the fallback is active. */
class Discovery {
  readonly #inputs: Inputs;
  readonly #count: InventoryCount;
  readonly #documents: Documents;
  readonly #fallback: FallbackRoute | undefined;
  readonly #problems = new Map<string, ListingProblem>();
  /** Addresses that were seen and are none of a document or problem. */
  readonly #others = new NameTable();
  /** Entries that may be at their old address: decided once the old addresses were listed. */
  readonly #strangers = new Map<Address, Entry>();

  constructor(inputs: Inputs, count: InventoryCount, documents: Documents) {
    this.#inputs = inputs;
    this.#count = count;
    this.#documents = documents;
    this.#fallback = activeFallback(inputs);
  }

  async run(): Promise<Discovered['problems']> {
    const { selection, route } = this.#inputs.intent;
    const { scope } = selection;
    const labels = scope.by === 'labelSelector' ? { labelSelector: scope.labelSelector } : {};
    const old = this.#fallback?.folder;
    const isWider = old === undefined || !isBelow(route.sourceFolder, old);
    for await (const entry of this.#list(route.sourceFolder, { ...labels, isWider })) {
      const name = route.nameOf(entry.address);
      if (name === undefined) this.#strangers.set(entry.address, entry);
      else this.#take(name, entry.address, entry);
    }
    if (this.#fallback !== undefined) await this.#listOldAddresses(this.#fallback);
    for (const entry of this.#strangers.values()) this.#takeStranger(entry);
    this.#takeKnownBelowProblems();
    return this.#problems;
  }

  /**
   * Yields each address once: pages of a listing can overlap, and so can the folders of old and new addresses. Of two such
   * folders, the listing of the wider one counts what the layers leave out.
   */
  async *#list(
    folder: Address,
    { isWider, ...labels }: { readonly isWider: boolean; readonly labelSelector?: string },
  ): AsyncGenerator<Entry> {
    const { onVersion, source, signal } = this.#inputs;
    const shown = onVersion && {
      onVersion: (address: Address, version: Version) => {
        const name = this.#nameAt(address);
        if (name !== undefined) onVersion('source', name, version);
      },
    };
    const leftOut = (reason: LeftOutReason): void => {
      if (isWider) this.#count.leaveOut(reason);
    };
    for await (const listed of source.list({ folder, leftOut, ...labels, ...shown }, signal)) {
      if (this.#isSeen(listed.address)) continue;
      if (isProblem(listed)) this.#takeProblem(listed);
      else yield listed;
    }
  }

  /** By the name of the address: no two addresses have the same. */
  #isSeen(address: Address): boolean {
    const name = this.#nameAt(address);
    const isNamed = name === undefined ? this.#problems.has(address) : this.#count.names.has(name);
    return isNamed || this.#strangers.has(address) || this.#others.has(address);
  }

  #nameAt(address: Address): string | undefined {
    const { route } = this.#inputs.intent;
    return route.nameOf(address) ?? route.nestedNameOf(address);
  }

  /** A document at its own address is not the old name of another document. */
  async #listOldAddresses(fallback: FallbackRoute): Promise<void> {
    const isWider = !isInside(fallback.folder, this.#inputs.intent.route.sourceFolder);
    for await (const entry of this.#list(fallback.folder, { isWider })) {
      this.#strangers.set(entry.address, entry);
    }
    for (const [address, entry] of this.#strangers) {
      const name = fallback.nameOf(address);
      if (name === undefined) continue;
      this.#strangers.delete(address);
      if (this.#documents.isNamed(name, MARKS.selected)) this.#leaveOut(address, 'OldName');
      else this.#take(name, address, entry);
    }
  }

  /** A path below the names of the mapping is selected by its nested name. */
  #takeStranger(entry: Entry): void {
    const name = this.#inputs.intent.route.nestedNameOf(entry.address);
    if (name === undefined) this.#leaveOut(entry.address, 'OtherPath');
    else this.#take(name, entry.address, entry);
  }

  /** An address that the mapping does not match is a name by itself: what is there is unknown. */
  #takeProblem(problem: ListingProblem): void {
    const { selection } = this.#inputs.intent;
    const { address } = problem;
    const name = this.#nameAt(address) ?? address;
    if (this.#count.names.has(name)) return;
    const whyNot = name.endsWith('/') ? leftOutByFolder : leftOutByName;
    const reason = whyNot(selection, name);
    if (reason === undefined) {
      this.#count.discover(name);
      this.#problems.set(name, problem);
    } else this.#leaveOut(address, reason);
  }

  /** Documents that earlier runs recorded, in folders whose names are unknown now. They are read by name. */
  #takeKnownBelowProblems(): void {
    const { intent, prior } = this.#inputs;
    const addresses = [...this.#problems.values()].map(({ address }) => address);
    const folders = addresses.filter((address) => address.endsWith('/'));
    if (folders.length === 0) return;
    for (const name of prior.keys()) {
      const source = intent.route.sourceOf(name);
      const isKnown = this.#count.names.has(name);
      if (
        !isKnown &&
        folders.some((folder) => source.startsWith(folder)) &&
        nameIsSelected(intent.selection, name)
      )
        this.#take(name, source, { address: source });
    }
  }

  #take(name: string, address: Address, { type, labels }: Entry): void {
    const { selection } = this.#inputs.intent;
    const byName = leftOutByName(selection, name);
    const reason = byName ?? leftOutByType(selection, type);
    if (reason === undefined) {
      const kept = name === address ? name : ownText(name);
      this.#documents.select(this.#count.discover(kept), labels);
    } else this.#leaveOut(address, reason, byName === undefined ? undefined : address);
  }

  /** `unread`: its name is why it is left out, so its value is not needed either. */
  #leaveOut(address: Address, reason: LeftOutReason, unread?: Address): void {
    this.#others.add(address);
    this.#count.leaveOut(reason, unread);
  }
}

/** True for the folder itself too. */
function isInside(folder: Address, outer: Address): boolean {
  return outer === '' || `${folder}/`.startsWith(`${outer}/`);
}

function isBelow(folder: Address, outer: Address): boolean {
  return folder !== outer && isInside(folder, outer);
}

function leftOutByType(
  selection: Parameters<typeof typeIsSelected>[0],
  type: string | undefined,
): LeftOutReason | undefined {
  return type === undefined || typeIsSelected(selection, type) ? undefined : 'ExcludedType';
}
