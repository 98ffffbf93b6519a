import type { Observed, Side } from '#src/core/sync/observed.ts';
import { decideSync, type SyncPolicy, type SyncStep } from '#src/core/sync/three-way.ts';
import { bytesIn, observedIn, WORLDS, type SideWorld, type World } from './sync-worlds.ts';

/*
 * The decision table as Markdown, made of the decisions for every situation: each situation is in exactly one line, and all
 * situations of a line have the same cells.
 */

type Authority = SyncPolicy['authority'];

/** The situations of one line, in words. */
interface Place {
  readonly base: string;
  readonly source: string;
  readonly destination: string;
}

interface Cell {
  readonly title: string;
  readonly policy: Omit<SyncPolicy, 'authority'>;
}

const FAIL: Cell = { title: '`Fail`', policy: { conflictPolicy: 'Fail', prune: false } };
const PRUNE: Cell = { title: '`prune: true`', policy: { conflictPolicy: 'Fail', prune: true } };
const NO_REVIVAL: Cell = {
  title: '`revives: false`',
  policy: { conflictPolicy: 'Fail', prune: false, revives: false },
};
const CELLS: Readonly<Record<'one' | 'either', readonly Cell[]>> = {
  one: [
    FAIL,
    { title: '`KeepDestination`', policy: { conflictPolicy: 'KeepDestination', prune: false } },
    { title: '`Overwrite`', policy: { conflictPolicy: 'Overwrite', prune: false } },
    PRUNE,
    NO_REVIVAL,
  ],
  either: [{ ...FAIL, title: 'step' }, PRUNE],
};

const BASE_KNOWN = 'known';

/** Whether the bytes of the base can be known: from a version that is still there, or from a history. */
function baseIn(world: World, { base, sides }: Observed): string {
  if (base === undefined) return 'none';
  const isUntouched = (['source', 'destination'] as const).some((side) => {
    const [found, recorded] = [sides[side], base[side]];
    return found.state === 'present' && found.version.revision === 'base' && recorded !== undefined;
  });
  return isUntouched || world.isReadable ? BASE_KNOWN : 'not readable';
}

function wordsFor(world: World, observed: Observed, side: Side): string {
  const found = world.sides[side];
  if (found.state === 'unread') return 'not read';
  if (found.state === 'deleted' || found.state === 'expired' || found.state === 'absent') return found.state;
  if (observed.areEqual) return isStill(world) ? 'as proven' : 'equal';
  if (baseIn(world, observed) !== BASE_KNOWN)
    return world.sides[other(side)].state === 'present' ? 'differs' : 'unknown';
  return bytesIn(world, side) === 'base' ? 'unchanged' : 'changed';
}

function isStill({ recorded, sides }: World): boolean {
  const isUntouched = (found: SideWorld): boolean => found.state === 'present' && found.isUntouched;
  return recorded === 'both' && isUntouched(sides.source) && isUntouched(sides.destination);
}

function other(side: Side): Side {
  return side === 'source' ? 'destination' : 'source';
}

function textOf(step: SyncStep): string {
  if (step.kind === 'nothing' || step.kind === 'moveBase') return step.kind;
  return `${step.kind} ${step.reason}`;
}

/** What a document can have that keeps a step from it: `leaving`, `owned`, `unmarked`. */
function obstacleOf(found: SideWorld): string {
  if (found.state !== 'present') return '';
  return found.hold ?? (found.isMarked ? '' : 'unmarked');
}

/** A cell that says what the first one says. */
const SAME = '–';

/** Order of the words for one side. */
const WORDS = [
  'changed',
  'unchanged',
  'unknown',
  'differs',
  'equal',
  'as proven',
  'absent',
  'deleted',
  'expired',
  'not read',
];
const BASES = [BASE_KNOWN, 'not readable', 'none'];

interface Line {
  readonly bases: readonly string[];
  readonly sources: readonly string[];
  readonly destinations: readonly string[];
  readonly onlyIf: string;
  readonly cells: readonly string[];
}

/** One line for each place and each choice of cells. */
function linesOf(authority: Authority, cells: readonly Cell[]): readonly Line[] {
  const places = new Map<string, { readonly place: Place; readonly found: Map<string, Set<string>> }>();
  for (const world of WORLDS) {
    const observed = observedIn(world);
    const place = {
      base: baseIn(world, observed),
      source: wordsFor(world, observed, 'source'),
      destination: wordsFor(world, observed, 'destination'),
    };
    // With Either, the other half of the table is this one with source and destination exchanged.
    if (authority === 'Either' && WORDS.indexOf(place.source) > WORDS.indexOf(place.destination)) continue;
    const key = `${place.base}|${place.source}|${place.destination}`;
    const known = places.get(key) ?? { place, found: new Map<string, Set<string>>() };
    const texts = cells.map(({ policy }) => textOf(decideSync({ authority, ...policy }, observed)));
    const line = JSON.stringify(texts);
    const obstacles = known.found.get(line) ?? new Set();
    obstacles.add(`${obstacleOf(world.sides.source)}|${obstacleOf(world.sides.destination)}`);
    known.found.set(line, obstacles);
    places.set(key, known);
  }
  return [...places.values()].flatMap(({ place, found }) =>
    [...found].map(([line, obstacles]) => {
      const [first = '', ...rest] = parsed(line);
      return {
        bases: [place.base],
        sources: [place.source],
        destinations: [place.destination],
        onlyIf: found.size === 1 ? '' : whenText(obstacles),
        cells: [first, ...rest.map((text) => (text === first ? SAME : text))],
      };
    }),
  );
}

type Part = 'destinations' | 'sources' | 'bases';

/** Lines that differ in one part only become one line. */
function merged(lines: readonly Line[], part: Part): readonly Line[] {
  const groups = new Map<string, Line>();
  for (const line of lines) {
    const key = JSON.stringify({ ...line, [part]: [] });
    const known = groups.get(key);
    groups.set(key, known === undefined ? line : { ...known, [part]: [...known[part], ...line[part]] });
  }
  return [...groups.values()].map((line) => ({ ...line, [part]: sorted(line[part], part) }));
}

function sorted(words: readonly string[], part: Part): readonly string[] {
  const order = part === 'bases' ? BASES : WORDS;
  return words.toSorted((left, right) => order.indexOf(left) - order.indexOf(right));
}

function rankOf({ bases, sources, destinations, onlyIf }: Line): string {
  const ranks = [
    BASES.indexOf(bases[0] ?? ''),
    WORDS.indexOf(sources[0] ?? ''),
    WORDS.indexOf(destinations[0] ?? ''),
  ];
  return `${ranks.map((rank) => String(rank).padStart(2, '0')).join(' ')} ${onlyIf}`;
}

function parsed(line: string): readonly string[] {
  const texts: unknown = JSON.parse(line);
  return Array.isArray(texts) ? texts.map(String) : [];
}

/** Which obstacles the situations of a line have in common; empty for the line that has none of them. */
function whenText(obstacles: ReadonlySet<string>): string {
  if (obstacles.has('|')) return '';
  const parts = [0, 1].map((index) => [
    ...new Set([...obstacles].map((pair) => pair.split('|')[index] ?? '')),
  ]);
  const titles = parts.map((words, index) =>
    words.includes('') ? '' : `${index === 0 ? 'source' : 'destination'} ${words.toSorted().join(' or ')}`,
  );
  return titles.filter((title) => title !== '').join(', ');
}

/** One of the two tables: `Source` is that of `Destination` too, with the two exchanged. */
export function tableOf(authority: 'Source' | 'Either'): string {
  const cells = CELLS[authority === 'Either' ? 'either' : 'one'];
  const head = ['base', 'source', 'destination', 'only if', ...cells.map(({ title }) => title)];
  const parts: readonly Part[] = ['destinations', 'sources', 'bases'];
  const lines = parts
    .reduce(merged, linesOf(authority, cells))
    .toSorted((left, right) => (rankOf(left) < rankOf(right) ? -1 : 1))
    .map((line) => [...parts.map((part) => line[part].join(', ')).reverse(), line.onlyIf, ...line.cells]);
  return [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
}
