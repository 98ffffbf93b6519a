import type { UnknownMembers } from '#src/api/v1alpha1/stored-rows.ts';
import { parseJson } from '#src/json/parse.ts';
import { ByteReader, ByteWriter, type TextKind } from './bytes.ts';
import type { TableEntry } from './rows.ts';
import { Shapes } from './shapes.ts';
import { Times } from './times.ts';
import type { UnknownOfDocument } from './unknown.ts';

/*
 * An entry of the table as a flat string (ADR 0080):
 *
 *   number of its shape, or 0 and the shape  │  seconds of its time  │  texts of its own, in the order of the shape
 *
 * The shape is the JSON of the entry, with a number in place of each text that is its own: how that text is written. Its name is
 * not in it: the entry is kept under it. Entries of documents that fared alike have one shape.
 */

/** Members with a text of the document, wherever they are in an outcome. */
const OWN: ReadonlySet<string> = new Set([
  'path',
  'backup',
  'version',
  'identity',
  'priorVersion',
  'originalVersion',
]);
/** Those that a mapping makes of the name. */
const OF_NAME: ReadonlySet<string> = new Set(['path', 'backup']);
/** Kind of a text that has the end of the name in it. */
const WITH_NAME = 4;
/** Entries that are kept unpacked: more than documents are in work at once. */
const MAX_RECENT = 128;
/** Shapes that are kept parsed. */
const MAX_PARSED = 64;
/** A shorter common text is an accident, and saves nothing. */
const MIN_COMMON = 6;

type Members = Readonly<Record<string, unknown>>;
interface Shape {
  readonly outcome: Members;
  /** Absent where the seconds tell it. */
  readonly since?: string;
  readonly unknown?: UnknownShape;
}
/** Members, and the keys that have them; 0: all keys of the outcome. */
type UnknownShape = readonly (readonly [keys: readonly string[] | 0, members: UnknownMembers])[];

/** Packs entries, and unpacks them again: whatever the entry, it comes back as it was. */
export class RowCodec {
  readonly #shapes = new Shapes();
  readonly #inUse: () => ReadonlySet<number>;
  readonly #own = new ByteWriter();
  readonly #row = new ByteWriter();
  readonly #in = new ByteReader();
  /** Of rows that are packed, and of others that are unpacked meanwhile. */
  readonly #times = { in: new Times(), out: new Times() };
  readonly #recent = new Map<string, { readonly packed: string; readonly entry: TableEntry }>();
  readonly #parsed = new Map<string, Shape>();
  #name = '';
  #used: Set<number> | undefined;

  /** `inUse` walks through all rows that the caller keeps: see `numbersIn`. */
  constructor(inUse: () => ReadonlySet<number>) {
    this.#inUse = inUse;
  }

  /** Number of shapes and other texts that rows share. */
  get shared(): number {
    return this.#shapes.size;
  }

  pack({ outcome: { name, ...outcome }, since, unknown }: TableEntry): string {
    this.#shapes.tidy(this.#inUse);
    this.#name = name;
    const seconds = this.#times.in.secondsOf(since);
    const shape: Shape = {
      outcome: this.#withoutOwn({ ...outcome }),
      ...(seconds === undefined ? { since } : {}),
      ...(unknown === undefined ? {} : { unknown: shapeOfUnknown(unknown, outcome.keys) }),
    };
    const own = this.#own.take();
    this.#share(this.#row, JSON.stringify(shape));
    if (seconds !== undefined) this.#row.number(seconds);
    this.#row.raw(own);
    return this.#row.take();
  }

  unpack(name: string, packed: string): TableEntry {
    this.#name = name;
    this.#in.open(packed);
    const shape = this.#shape();
    const since = shape.since ?? this.#times.out.textOf(this.#in.number() * 1000);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `pack` made it of an outcome
    const outcome = { name, ...this.#withOwn(shape.outcome) } as TableEntry['outcome'];
    if (shape.unknown === undefined) return { outcome, since };
    return { outcome, since, unknown: unknownOf(shape.unknown, outcome.keys) };
  }

  /** The same for a document in work, which is asked for several times. */
  recent(name: string, packed: string): TableEntry {
    const recent = this.#recent.get(name);
    if (recent?.packed === packed) return recent.entry;
    const entry = this.unpack(name, packed);
    if (this.#recent.size >= MAX_RECENT) this.#recent.clear();
    this.#recent.set(name, { packed, entry });
    return entry;
  }

  /** Adds the numbers of shared texts that a row has. */
  numbersIn(packed: string, used: Set<number>): void {
    this.#used = used;
    this.unpack('', packed);
    this.#used = undefined;
  }

  /** The members with the kinds of the texts that go to the bytes. */
  #withoutOwn(members: Members): Members {
    const shape: Record<string, unknown> = {};
    for (const member of Object.keys(members)) {
      const value = members[member];
      if (typeof value === 'string') shape[member] = OWN.has(member) ? this.#write(member, value) : value;
      else shape[member] = isPart(value) ? this.#withoutOwn(value) : value;
    }
    return shape;
  }

  #withOwn(shape: Members): Members {
    const members: Record<string, unknown> = {};
    for (const member of Object.keys(shape)) {
      const value = shape[member];
      if (typeof value === 'number') members[member] = OWN.has(member) ? this.#read(value) : value;
      else members[member] = isPart(value) ? this.#withOwn(value) : value;
    }
    return members;
  }

  #write(member: string, text: string): number {
    const common = OF_NAME.has(member) ? commonOf(text, this.#name) : undefined;
    if (common === undefined) return this.#own.text(text);
    this.#share(this.#own, common.before);
    this.#own.number(common.cut);
    this.#share(this.#own, common.after);
    return WITH_NAME;
  }

  #read(kind: number): string {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the numbers in a shape are kinds
    if (kind !== WITH_NAME) return this.#in.text(kind as TextKind);
    const before = this.#shared();
    const cut = this.#in.number();
    return before + this.#name.slice(cut) + this.#shared();
  }

  /** The number of a text that is shared or empty; else 0 and the text. */
  #share(to: ByteWriter, text: string): void {
    if (text === '') {
      to.number(1);
      return;
    }
    const number = this.#shapes.numberOf(text);
    to.number(number === undefined ? 0 : number + 1);
    if (number === undefined) to.any(text);
  }

  #shared(): string {
    const number = this.#in.number();
    if (number === 0) return this.#in.any();
    if (number === 1) return '';
    this.#used?.add(number - 1);
    return this.#shapes.textOf(number - 1);
  }

  /** Shapes that rows have one after the other are parsed once. */
  #shape(): Shape {
    const text = this.#shared();
    const known = this.#parsed.get(text);
    if (known !== undefined) return known;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `pack` made it
    const shape = parseJson(text) as Shape;
    if (this.#parsed.size >= MAX_PARSED) this.#parsed.clear();
    this.#parsed.set(text, shape);
    return shape;
  }
}

function isPart(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Common {
  readonly before: string;
  /** Characters of the name that are not in the text. */
  readonly cut: number;
  readonly after: string;
}

/** Where the name, or a long end of it, is in a text. */
function commonOf(text: string, name: string): Common | undefined {
  if (name.length < MIN_COMMON) return undefined;
  const at = text.lastIndexOf(name);
  if (at >= 0) return { before: text.slice(0, at), cut: 0, after: text.slice(at + name.length) };
  const most = Math.min(text.length, name.length);
  let length = 0;
  while (length < most && text.at(-1 - length) === name.at(-1 - length)) length += 1;
  if (length < MIN_COMMON) return undefined;
  return { before: text.slice(0, text.length - length), cut: name.length - length, after: '' };
}

function shapeOfUnknown(unknown: UnknownOfDocument, keys: readonly string[]): UnknownShape {
  const alike = Map.groupBy(unknown, ([, members]) => JSON.stringify(members));
  return [...alike.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const names = group.map(([key]) => key);
    const isAll = names.length === keys.length && names.every((key, index) => key === keys[index]);
    return [[isAll ? 0 : names, first[1]]];
  });
}

function unknownOf(shape: UnknownShape, keys: readonly string[]): UnknownOfDocument {
  return new Map(
    shape.flatMap(([names, members]) => (names === 0 ? keys : names).map((key) => [key, members] as const)),
  );
}
