import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ProvenCopies, type Proven } from './proven.ts';

const text = fc.string({ unit: 'binary', maxLength: 12 });
const name = fc.oneof(text, fc.constantFrom('a', 'null', '0', '__proto__'));
const version = fc.record({ identity: text, revision: text }, { requiredKeys: ['identity', 'revision'] });

/** A proven document with any names, addresses and versions; addresses that end in its name, too. */
const proven: fc.Arbitrary<Proven> = name.chain((own) => {
  const address = fc.oneof(
    text,
    text.map((before) => before + own),
  );
  return fc.record({
    pair: fc.record(
      {
        name: fc.constant(own),
        source: address,
        sourceVersion: version,
        sourceIsLeaving: fc.constant(true as const),
        ties: fc.record(
          { owner: text, manager: text, suppliesCa: fc.constant(true as const) },
          { requiredKeys: [] },
        ),
        destination: address,
        destinationVersion: version,
      },
      { requiredKeys: ['name', 'source', 'sourceVersion', 'ties', 'destination', 'destinationVersion'] },
    ),
    outcome: fc.record(
      {
        name: fc.constant(own),
        keys: fc.array(text, { maxLength: 3 }),
        state: fc.constant('Verified' as const),
        reason: fc.constant('MetadataLost' as const),
        message: text,
        rule: text,
        destination: fc.record(
          { path: address, version: text, identity: text, priorVersion: text, created: fc.boolean() },
          { requiredKeys: ['path'] },
        ),
        source: fc.record({ path: address, version: text, identity: text }, { requiredKeys: [] }),
        copiedNow: fc.constant(true as const),
      },
      { requiredKeys: ['name', 'keys', 'state'] },
    ),
  });
});

it('proven documents come back as they were added, whatever they have in common', () => {
  fc.assert(
    fc.property(fc.array(proven, { maxLength: 5 }), (all) => {
      const copies = new ProvenCopies();
      for (const each of all) copies.add(each);
      expect([...copies]).toEqual(all);
      expect([...copies.sources()]).toEqual(all.map(({ pair }) => pair.source));
    }),
  );
});

it('those that are due are kept, and the next of the others is told', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(proven, fc.integer({ min: -2, max: 3 })), { maxLength: 8 }), (all) => {
      const copies = new ProvenCopies();
      for (const [each] of all) copies.add(each);
      const waits = all.map(([, wait]) => wait);
      const left = waits.filter((wait) => wait > 0);
      let asked = 0;
      expect(copies.keepDue(() => waits[asked++] ?? 0)).toBe(
        left.length === 0 ? undefined : Math.min(...left),
      );
      expect([...copies]).toEqual(all.filter(([, wait]) => wait <= 0).map(([each]) => each));
      expect(copies.size).toBe(all.length - left.length);
    }),
  );
});
