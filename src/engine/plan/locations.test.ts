import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Location } from '#src/backends/driver.ts';
import { compileRenaming } from '#src/core/mapping/renaming.ts';
import { compileRoute } from '#src/core/mapping/route.ts';
import { NameTable } from '#src/core/name-table.ts';
import { keyOf, LiveMigrations } from '../crossings.ts';
import { Documents } from './documents.ts';
import type { PlanInputs } from './inputs.ts';
import { SourcesByLocation, usesOf } from './locations.ts';

const PREFIXES = [{ from: 'old-', to: 'new-', stripPrefix: true }];
const route = compileRoute({
  path: '{namespace}/{name}',
  namespace: 'ns',
  addressing: { source: 'flat', destination: 'tree' },
  renaming: compileRenaming({ overrides: [], scopes: undefined, prefixes: PREFIXES, patterns: [] }),
});

type LocationOf = (address: string) => Location;

const regular = (store: string, root: string): LocationOf => {
  return (address) => ({ store, path: `${root}${address}` });
};
/** What no driver does, and none is forbidden. */
const odd: LocationOf = (address) => ({
  store: `s${address.length % 2}`,
  path: address.replaceAll(/./gu, '$&.'),
});

const locationsOf = fc.constantFrom(regular('s', ''), regular('s', 'team/'), regular('t', 'a'), odd);
const name = fc.stringMatching(/^(old-|new-)?[ab.]{1,4}$/);

interface Setup {
  readonly names: readonly string[];
  readonly from: LocationOf;
  readonly to: LocationOf;
  readonly authority: 'Source' | 'Both' | undefined;
}

const setup: fc.Arbitrary<Setup> = fc.record({
  names: fc.uniqueArray(name, { maxLength: 8 }),
  from: locationsOf,
  to: locationsOf,
  authority: fc.constantFrom('Source', 'Both', undefined),
});

function documentsOf(names: readonly string[]): Documents {
  const table = new NameTable();
  const documents = new Documents(route, table);
  for (const each of names) {
    const item = table.add(each);
    documents.select(item);
    documents.indexDestination(item);
  }
  return documents;
}

/** Those whose names end in `a` are removed. */
function inputsOf({ authority, from, to }: Setup, isClosed: () => boolean) {
  const unlessClosed = (locationOf: LocationOf): LocationOf => {
    return (address) => {
      if (isClosed()) throw new Error('The driver is closed.');
      return locationOf(address);
    };
  };
  const sourcePolicyOf = (each: string) => (each.endsWith('a') ? 'Delete' : 'Keep');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that `usesOf` asks for
  return {
    source: { locationOf: unlessClosed(from) },
    destination: { locationOf: unlessClosed(to) },
    intent: {
      route,
      sync: authority === undefined ? undefined : { authority },
      policyOf: (each: string) => ({ sourcePolicy: sourcePolicyOf(each) }),
    },
  } as unknown as Pick<PlanInputs, 'destination' | 'intent' | 'source'>;
}

const destinationOf = (each: string): string => {
  const target = route.destinationOf(each, {});
  return 'path' in target ? target.path : '';
};

describe('what a migration tells the others', () => {
  it('is where its documents are, whatever becomes of them and of its drivers', () => {
    fc.assert(
      fc.property(setup, fc.array(name), (given, others) => {
        let isClosed = false;
        const documents = documentsOf(given.names);
        const live = new LiveMigrations();
        live.of('ns/first').declare(
          usesOf(
            inputsOf(given, () => isClosed),
            documents,
          ),
        );
        isClosed = true;
        for (const item of documents.with()) documents.drop(item);
        const removes = new Set(
          given.names.filter((each) => each.endsWith('a')).map((each) => keyOf(given.from(each))),
        );
        const writes = new Set([
          ...given.names.map((each) => keyOf(given.to(destinationOf(each)))),
          ...(given.authority === 'Both' ? given.names.map((each) => keyOf(given.from(each))) : []),
        ]);
        const second = live.of('ns/second');
        const asked = [...given.names, ...others].flatMap((each) => [each, destinationOf(each), `a${each}`]);
        for (const address of asked)
          for (const location of [given.from(address), given.to(address)]) {
            expect(second.removalOf(location) !== undefined).toBe(removes.has(keyOf(location)));
            expect(second.writeTo(location) !== undefined).toBe(writes.has(keyOf(location)));
          }
      }),
    );
  });
});

it('a source is found by its location, and nothing else is', () => {
  fc.assert(
    fc.property(setup, fc.array(name), ({ from, names, to }, others) => {
      const documents = documentsOf(names);
      const sources = new SourcesByLocation({ locationOf: from }, documents);
      for (const address of [...names, ...others])
        for (const location of [from(address), to(address)]) {
          const expected = names.find((each) => keyOf(from(each)) === keyOf(location));
          const found = sources.find(location);
          expect(found === undefined ? undefined : documents.nameAt(found)).toBe(expected);
        }
    }),
  );
});
