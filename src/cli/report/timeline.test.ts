import fc from 'fast-check';
import { expect, it } from 'vitest';
import { aRow, evidenceWith } from '#test/support/evidence-samples.ts';
import { enteredIn, timelineOf } from './timeline.ts';

const CREATED = '2026-11-27T10:00:00Z';
const timeAfter = (seconds: number): string => new Date(Date.parse(CREATED) + seconds * 1000).toISOString();

it('counts every key with a time once, in at most 60 slots, over any span', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400 * 86_400), { minLength: 1, maxLength: 40 }), (seconds) => {
      const { rows } = evidenceWith({
        rows: seconds.map((after, index) => aRow(`d${index}`, { lastTransitionTime: timeAfter(after) })),
      });
      const timeline = timelineOf(rows, CREATED);
      const slots = timeline?.slots ?? [];
      expect(slots.length).toBeLessThanOrEqual(60);
      expect(slots.reduce((sum, slot) => sum + enteredIn(slot), 0)).toBe(seconds.length);
      expect(slots.at(-1)?.done).toBe(seconds.length);
    }),
  );
});

it('leaves out rows of another version that say 1970', () => {
  const { rows } = evidenceWith({
    rows: [aRow('a'), aRow('b', { lastTransitionTime: '1970-01-01T00:00:00Z' })],
  });
  expect(timelineOf(rows, CREATED)).toMatchObject({ withoutTime: 1, step: '1 second' });
  expect(timelineOf(rows.slice(1), CREATED)).toBeUndefined();
});
