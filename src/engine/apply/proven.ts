import type { Address } from '#src/core/document.ts';
import type { Outcome, VerifiedPair } from '#src/core/outcome.ts';
import { parseJson } from '#src/json/parse.ts';

/** A document that this run proved, and its row without a reason. */
export interface Proven {
  readonly pair: VerifiedPair;
  readonly outcome: Outcome;
}

/** What documents share. */
type Shape = Readonly<Record<string, unknown>>;

/**
 * Proven documents until their sources may go: a short text for each, and once what they share (ADR 0081). About 130 bytes, where
 * the objects take five times as many.
 */
export class ProvenCopies implements Iterable<Proven> {
  readonly #shapes: string[] = [];
  readonly #numbers = new Map<string, number>();
  #last: { readonly text: string; readonly shape: Shape } | undefined;
  #names: string[] = [];
  /** By place in `#names`: the number of the shape, then what is not shared. */
  #packed: string[] = [];

  get size(): number {
    return this.#names.length;
  }

  add(proven: Proven): void {
    const { name } = proven.outcome;
    const { own, shape } = split(proven, name);
    const number = this.#numbers.get(shape) ?? this.#shapes.push(shape) - 1;
    this.#numbers.set(shape, number);
    this.#names.push(name);
    this.#packed.push(JSON.stringify([String(number), ...own]));
  }

  /** Keeps those that wait no more. Returns the milliseconds until the next of the others; undefined if there is none. */
  keepDue(waitOf: (proven: Proven) => number): number | undefined {
    const names: string[] = [];
    const packed: string[] = [];
    let next: number | undefined;
    for (let place = 0; place < this.size; place += 1) {
      const wait = waitOf(this.#at(place));
      if (wait > 0) next = Math.min(next ?? wait, wait);
      else {
        names.push(this.#names[place] ?? '');
        packed.push(this.#packed[place] ?? '');
      }
    }
    this.#names = names;
    this.#packed = packed;
    return next;
  }

  *[Symbol.iterator](): Generator<Proven> {
    for (let place = 0; place < this.size; place += 1) yield this.#at(place);
  }

  *sources(): Generator<Address> {
    for (const { pair } of this) yield pair.source;
  }

  #at(place: number): Proven {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as `add` wrote it
    const [number, ...own] = parseJson(this.#packed[place] ?? '[]') as readonly string[];
    const text = this.#shapes[Number(number)] ?? '{}';
    // Most have the shape of the one before.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as `split` wrote it
    if (this.#last?.text !== text) this.#last = { text, shape: parseJson(text) as Shape };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the members that `add` was given
    return filled(this.#last.shape, this.#names[place] ?? '', own) as unknown as Proven;
  }
}

/** Members whose texts are of one document. */
const VERSIONS: ReadonlySet<string> = new Set([
  'identity',
  'originalVersion',
  'priorVersion',
  'revision',
  'version',
]);
/** Members with an address, which often ends in the name of the document. */
const PLACES: ReadonlySet<string> = new Set(['backup', 'destination', 'path', 'source']);

/** A text of one document stands in the shape as its number in `own`, the name as null, and what ends in it as [what is before]. */
function split(proven: Proven, name: string): { readonly own: readonly string[]; readonly shape: string } {
  const own: string[] = [];
  const shape = JSON.stringify(proven, (member, value: unknown) => {
    if (typeof value !== 'string') return value;
    if (member === 'name' && value === name) return null;
    if (PLACES.has(member) && value.endsWith(name)) return [value.slice(0, value.length - name.length)];
    if (!VERSIONS.has(member) && !PLACES.has(member)) return value;
    const number = own.indexOf(value);
    return number < 0 ? own.push(value) - 1 : number;
  });
  return { own, shape };
}

/** The members of a shape, with the texts of one document in them. */
function filled(shape: Shape, name: string, own: readonly string[]): Shape {
  const members: Record<string, unknown> = {};
  for (const [member, value] of Object.entries(shape)) members[member] = filledMember(member, value);
  return members;

  function filledMember(member: string, value: unknown): unknown {
    if (member === 'name' && value === null) return name;
    if (PLACES.has(member) && Array.isArray(value)) return `${value[0]}${name}`;
    if (typeof value === 'number') return VERSIONS.has(member) || PLACES.has(member) ? own[value] : value;
    return isShape(value) ? filled(value, name, own) : value;
  }
}

function isShape(value: unknown): value is Shape {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
