import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VersionState } from '#src/backends/listing.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { Side } from '#src/core/sync/observed.ts';
import { aFollowed, present } from '#test/support/followed.ts';

/*
 * Any history of versions seen, read, taken and put back, of two documents. The model keeps the objects themselves and compares
 * them member by member; it knows no marks.
 */

const NAMES = ['a', 'b'] as const;
const SIDES: readonly Side[] = ['source', 'destination'];

const anyState: fc.Arbitrary<VersionState> = fc.oneof(
  fc.record({
    state: fc.constantFrom('present' as const, 'deleted' as const),
    version: fc.record({
      identity: fc.constantFrom('u', 'v'),
      revision: fc.constantFrom('1', '2', '3'),
    }),
  }),
  fc.constantFrom<VersionState>({ state: 'absent' }, { state: 'unknown' }),
);

const anyAction = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('see' as const),
      name: fc.constantFrom(...NAMES),
      side: fc.constantFrom(...SIDES),
      state: anyState,
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'take' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('remember' as const),
      name: fc.constantFrom(...NAMES),
      source: fc.constantFrom('1', '2', '3'),
      destination: fc.constantFrom('1', '2', '3'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('putBack' as const), name: fc.constantFrom(...NAMES) }),
  },
);

/** One side of one document, as a person would keep book of it. */
interface Book {
  remembered: VersionState;
  /** The last that was seen since the document was taken; undefined if that was nothing new. */
  seen: VersionState | undefined;
  taken: VersionState | undefined;
}

class Model {
  readonly #books = new Map<string, Record<Side, Book>>();

  book(name: string): Record<Side, Book> {
    let book = this.#books.get(name);
    if (book === undefined) {
      const side = (): Book => ({ remembered: { state: 'absent' }, seen: undefined, taken: undefined });
      book = { source: side(), destination: side() };
      this.#books.set(name, book);
    }
    return book;
  }

  isKnown(name: string): boolean {
    return SIDES.some((side) => {
      const { remembered, seen, taken } = this.book(name)[side];
      return remembered.state !== 'absent' || seen !== undefined || taken !== undefined;
    });
  }

  see(name: string, side: Side, state: VersionState): void {
    if (side === 'destination' && !this.isKnown(name)) return;
    const book = this.book(name)[side];
    book.seen = isSame(state, book.remembered) ? undefined : state;
  }

  take(): string[] {
    const names = NAMES.filter((name) => SIDES.some((side) => this.#isOpen(name, side)));
    for (const name of names)
      for (const side of SIDES) {
        const book = this.book(name)[side];
        book.taken = book.seen ?? book.taken;
        book.seen = undefined;
      }
    return names;
  }

  #isOpen(name: string, side: Side): boolean {
    const { seen, taken } = this.book(name)[side];
    return seen !== undefined || taken !== undefined;
  }

  remember(name: string, revisions: Readonly<Record<Side, string>>): void {
    for (const side of SIDES) {
      const book = this.book(name)[side];
      const read = present(revisions[side]);
      const before =
        book.taken !== undefined && book.taken.state !== 'unknown' ? book.taken : book.remembered;
      // A row names a version and does not say that it is deleted: that was seen, or was known.
      const isDeleted = before.state === 'deleted' && isSame({ ...before, state: 'present' }, read);
      book.remembered = isDeleted ? before : read;
      book.taken = undefined;
      if (book.seen !== undefined && isSame(book.seen, book.remembered)) book.seen = undefined;
    }
  }

  putBack(name: string): void {
    const books = SIDES.map((side) => this.book(name)[side]);
    if (books.every(({ taken }) => taken === undefined)) return;
    for (const book of books) {
      book.seen ??= book.taken;
      book.taken = undefined;
    }
  }

  get dirty(): readonly string[] {
    return NAMES.filter((name) => SIDES.some((side) => this.book(name)[side].seen !== undefined));
  }
}

/** What only a read can tell is never the same. */
function isSame(left: VersionState, right: VersionState): boolean {
  if (left.state !== right.state || left.state === 'unknown') return false;
  if (left.state === 'absent' || right.state === 'absent' || right.state === 'unknown') return true;
  return left.version.identity === right.version.identity && left.version.revision === right.version.revision;
}

function outcomeOf(name: string, source: string, destination: string): Outcome {
  return {
    name,
    keys: ['k'],
    state: 'Verified',
    source: { version: source, identity: 'u' },
    destination: { path: `ns/${name}`, version: destination, identity: 'u' },
  };
}

describe('a document waits to be read', () => {
  it('if and only if the last version seen at one of its sides differs from the remembered one', () => {
    fc.assert(
      fc.property(fc.array(anyAction, { maxLength: 40 }), (actions) => {
        const { followed } = aFollowed();
        const model = new Model();
        for (const action of actions) {
          if (action.do === 'take') expect([...followed.take()].toSorted()).toEqual(model.take());
          else if (action.do === 'see') {
            const { name, side, state } = action;
            if (side === 'source') followed.sourceSeen(name, state);
            else followed.destinationSeen(`ns/${name}`, state);
            model.see(name, side, state);
          } else if (action.do === 'remember') {
            const { destination, name, source } = action;
            followed.remember([outcomeOf(name, source, destination)], 'some');
            model.remember(name, { source, destination });
          } else if (SIDES.some((side) => model.book(action.name)[side].taken !== undefined)) {
            followed.putBack([action.name]);
            model.putBack(action.name);
          }
          expect(followed.isDirty).toBe(model.dirty.length > 0);
        }
        const left = SIDES.flatMap((side) =>
          NAMES.filter((name) => model.book(name)[side].taken !== undefined),
        );
        expect([...followed.take()].toSorted()).toEqual([...new Set([...model.dirty, ...left])].toSorted());
      }),
      { numRuns: 1000 },
    );
  });
});
