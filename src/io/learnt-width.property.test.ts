import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIRST_WIDTH, LearntWidth, type Ended, type Sample } from './learnt-width.ts';

const ended = fc.constantFrom<Ended>('answered', 'answeredLate', 'overloaded', 'unknown');
/** Milliseconds between two ends, and how long the request took. */
const request = fc.record({
  afterMs: fc.integer({ min: 0, max: 200 }),
  tookMs: fc.integer({ min: 0, max: 20_000 }),
  ended,
  wasFull: fc.boolean(),
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

function* samplesOf(requests: readonly Request[]): Generator<Sample> {
  let now = 0;
  for (const { afterMs, tookMs, ...rest } of requests) {
    now += afterMs;
    yield { sentAt: now - tookMs, endedAt: now, ...rest };
  }
}

/** Replies of a server that has time for all, each as full as can be, one after the other from `now` on. */
function answer(width: LearntWidth, replies: number, now: number): number {
  for (let reply = 0; reply < replies; reply += 1)
    width.note({ sentAt: now + reply, endedAt: now + reply + 1, ended: 'answered', wasFull: true });
  return now + replies;
}

describe('the requests that a server may have under way', () => {
  it('are never more than the most and never less than one, whatever it replies', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(request, { maxLength: 400 }),
        (most, requests) => {
          const learnt = new LearntWidth(most);
          for (const sample of samplesOf(requests)) {
            learnt.note(sample);
            expect(learnt.width).toBeGreaterThanOrEqual(1);
            expect(learnt.width).toBeLessThanOrEqual(most);
            expect(Number.isInteger(learnt.width)).toBe(true);
          }
        },
      ),
    );
  });

  it('are as many as before once the server has recovered, whatever came before', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 128 }),
        fc.array(request, { maxLength: 400 }),
        (most, requests) => {
          const learnt = new LearntWidth(most);
          let now = 0;
          for (const sample of samplesOf(requests)) {
            learnt.note(sample);
            now = sample.endedAt;
          }
          // One more after each round: the sum of all widths up to the most.
          answer(learnt, (most * (most + 1)) / 2 + most, now + 1);
          expect(learnt.width).toBe(most);
        },
      ),
    );
  });

  it('fall to one while the server answers nothing, by half of them at once, and once for what was under way', () => {
    const learnt = new LearntWidth(128);
    const widths = [learnt.width];
    for (let round = 1; learnt.width > 1; round += 1) {
      const sentAt = 1_000 * round;
      for (let each = learnt.width; each > 0; each -= 1)
        learnt.note({ sentAt, endedAt: sentAt + 500, ended: 'overloaded', wasFull: true });
      widths.push(learnt.width);
    }
    expect(widths).toEqual([FIRST_WIDTH, 16, 8, 4, 2, 1]);
  });

  it('stay when a tenant gets nothing but 400, 403 and 404: those are replies', () => {
    const plain = fc.record({ afterMs: fc.integer({ min: 0, max: 50 }), wasFull: fc.boolean() });
    fc.assert(
      fc.property(fc.array(plain, { maxLength: 500 }), (replies) => {
        const learnt = new LearntWidth(128);
        let now = 0;
        for (const { afterMs, wasFull } of replies) {
          now += afterMs;
          const before = learnt.width;
          learnt.note({ sentAt: now, endedAt: now + 2, ended: 'answered', wasFull });
          expect(learnt.width).toBeGreaterThanOrEqual(before);
        }
      }),
    );
  });

  it('stay when less than an eighth of the replies are refusals, as with the quota of one mount of many', () => {
    const learnt = new LearntWidth(128);
    for (let reply = 0; reply < 10_000; reply += 1) {
      const refused = reply % 50 === 0;
      learnt.note({
        sentAt: reply,
        endedAt: reply + 2,
        ended: refused ? 'overloaded' : 'answered',
        wasFull: true,
      });
    }
    expect(learnt.width).toBeGreaterThanOrEqual(FIRST_WIDTH);
  });

  it('stay when this is a slow server, which is as slow with half of them', () => {
    const learnt = new LearntWidth(128);
    answer(learnt, 100, 0);
    for (let reply = 0; reply < 10_000; reply += 1)
      learnt.note({ sentAt: 1_000 + reply, endedAt: 4_000 + reply, ended: 'answered', wasFull: true });
    expect(learnt.width).toBeGreaterThanOrEqual(FIRST_WIDTH / 2);
  });

  it('do not grow while fewer are under way: that would mean nothing', () => {
    const learnt = new LearntWidth(128);
    for (let reply = 0; reply < 10_000; reply += 1)
      learnt.note({ sentAt: reply, endedAt: reply + 1, ended: 'answered', wasFull: false });
    expect(learnt.width).toBe(FIRST_WIDTH);
  });
});
