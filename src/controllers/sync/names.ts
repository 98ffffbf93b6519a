import { storedNameOf } from '#src/backends/layers/shaped.ts';
import type { Address } from '#src/core/document.ts';
import { matchesLabels, type LabelSelector } from '#src/core/label-selector.ts';
import type { Route } from '#src/core/mapping/route.ts';
import type { Outcome, RecordedVersion } from '#src/core/outcome.ts';
import type { Side } from '#src/core/sync/observed.ts';
import { leftOutByFolder, nameIsSelected, type Selection } from '#src/core/selection.ts';
import { flat } from './marks.ts';

/** Of a document that was seen; `unknown`: it has too many for the cache. */
export type SeenLabels = Readonly<Record<string, string>> | 'unknown';

/** What a migration selects, and where its documents are. */
export interface NamesOptions {
  readonly selection: Selection;
  readonly route: Route;
  /** `select.labelSelector`. */
  readonly labelSelector?: LabelSelector | undefined;
  /** Each key of a Secret is a document, `<name of the Secret>/<key>`. Default: false. */
  readonly isSplit?: boolean;
}

const SPLIT = { split: {} };

/** Where a run found the sides of a document. */
export type Placed = Pick<Outcome, 'name' | 'source' | 'destination'>;

/**
 * Which document is at an address of either side. Most names follow from their address; it remembers only the others: renamed,
 * joined to one segment, placed by a label, or read at an old address.
 */
export class DocumentNames {
  readonly #options: NamesOptions;
  readonly #exceptions = { source: new Map<Address, string>(), destination: new Map<Address, string>() };

  constructor(options: NamesOptions) {
    this.#options = options;
  }

  /** Replaces what it knows of these documents; with `all`, of every document. */
  remember(placed: readonly Placed[], which: 'all' | 'some'): void {
    const { destination: atDestination, source: atSource } = this.#exceptions;
    this.#forget(which === 'all' ? () => true : isOneOf(placed));
    const { route } = this.#options;
    for (const { destination, name, source } of placed) {
      if (source?.path !== undefined) atSource.set(flat(source.path), name);
      const path = destination?.path;
      if (path !== undefined && route.usualNameAt(path) !== name) atDestination.set(flat(path), name);
    }
  }

  forget(name: string): void {
    this.#forget((each) => each === name);
  }

  #forget(isForgotten: (name: string) => boolean): void {
    for (const addresses of Object.values(this.#exceptions)) {
      for (const [address, name] of addresses) if (isForgotten(name)) addresses.delete(address);
    }
  }

  /** The document at this address; undefined if the migration has none there. */
  at(side: Side, address: Address): string | undefined {
    const exception = this.#exceptions[side].get(address);
    if (exception !== undefined) return exception;
    return side === 'source' ? this.#atSource(address) : this.#atDestination(address);
  }

  /** What the source lists, without the old addresses of documents that it also lists under their own, which lead. */
  leading<Listed extends { readonly address: Address }>(listed: readonly Listed[]): readonly Listed[] {
    const { route } = this.#options;
    if (route.fallback === undefined) return listed;
    const addresses = new Set(listed.map(({ address }) => address));
    return listed.filter(({ address }) => {
      const name = this.at('source', address);
      const own = name === undefined ? address : route.sourceOf(name);
      return own === address || !addresses.has(own);
    });
  }

  #atSource(address: Address): string | undefined {
    const { route } = this.#options;
    return route.nameOf(address) ?? route.nestedNameOf(address) ?? route.fallback?.nameOf(address);
  }

  /** A document of that name can be elsewhere, because a rule renames it. */
  #atDestination(address: Address): string | undefined {
    const name = this.#options.route.usualNameAt(address);
    return name !== undefined && this.#placeOf(name) === address ? name : undefined;
  }

  #placeOf(name: string): Address | undefined {
    const target = this.#options.route.destinationOf(name, {});
    return 'path' in target ? target.path : undefined;
  }

  /** The addresses of these documents, as far as they are known. */
  *addressesOf(side: Side, names: Iterable<string>): Generator<readonly [name: string, address: Address]> {
    const exceptions = new Map([...this.#exceptions[side]].map(([address, name]) => [name, address]));
    for (const name of names) {
      const usual = side === 'source' ? this.#options.route.sourceOf(name) : this.#placeOf(name);
      const address = exceptions.get(name) ?? usual;
      if (address !== undefined) yield [name, address];
    }
  }

  /** True for a name that the migration selects; labels decide where they are known. */
  selects(name: string, labels: SeenLabels | undefined): boolean {
    const { labelSelector, selection } = this.#options;
    if (labels === 'unknown' && labelSelector !== undefined) return false;
    const isSelected = this.isWhole(name)
      ? leftOutByFolder(selection, `${name}/`) === undefined
      : nameIsSelected(selection, name);
    return isSelected && this.hasLabels(labels);
  }

  /** True for the name of a Secret that is split: it is not a document, and its keys are. */
  isWhole(name: string): boolean {
    return this.#options.isSplit === true && storedNameOf(SPLIT, name) === name;
  }

  /** The Secrets that are split, each in the version in which all of these keys of it were read, if that is one. */
  wholesOf(placed: readonly Placed[]): ReadonlyMap<string, RecordedVersion> {
    const versions = new Map<string, RecordedVersion>();
    for (const { name, source = {} } of placed) {
      const whole = this.wholeOf(name);
      if (whole === undefined) continue;
      const other = versions.get(whole) ?? source;
      const isSame = other.version === source.version && other.identity === source.identity;
      versions.set(whole, isSame ? source : {});
    }
    return versions;
  }

  /** The name of the Secret that this document is a key of; undefined if nothing is split. */
  wholeOf(name: string): string | undefined {
    return this.#options.isSplit === true ? storedNameOf(SPLIT, name) : undefined;
  }

  /** False for labels that the selector does not match. A listing yields only what it matches, and no labels. */
  hasLabels(labels: SeenLabels | undefined): boolean {
    const { labelSelector } = this.#options;
    if (labels === undefined || labels === 'unknown' || labelSelector === undefined) return true;
    return matchesLabels(labelSelector, labels);
  }
}

function isOneOf(placed: readonly Placed[]): (name: string) => boolean {
  const names = new Set(placed.map(({ name }) => name));
  return (name) => names.has(name);
}
