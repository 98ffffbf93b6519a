import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aRow, aWorld, runEngine, type EngineRun, type RunReport } from '#test/support/engine-run.ts';
import { settle } from '#test/support/manual-clock.ts';

const NAMES = Array.from({ length: 12 }, (_, index) => `doc-${index}`);

/** A run that others interrupt at the safe points for which `isDue` is true, and what happened meanwhile. */
async function runWithRests(more: Partial<EngineRun>, isDue: (point: number) => boolean) {
  const world = aWorld();
  for (const name of NAMES) world.source.put(name, { k: name });
  const during: string[] = [];
  let [points, rests] = [0, 0];
  const report = await runEngine({
    ...world,
    ...more,
    rest: (log) => ({
      isDue: () => isDue(points++),
      take: async () => {
        rests += 1;
        const before = log.length;
        await settle();
        // A document whose source was read before, or whose decision was made, may still be looked at.
        during.push(...log.slice(before).filter((line) => !/^(source|destination) read/.test(line)));
      },
    }),
  });
  return { report, world, rests, during };
}

function workIn({ log }: RunReport, verb: RegExp): readonly string[] {
  return log.filter((line) => verb.test(line)).toSorted();
}

describe('a run that gives its worker up between documents', () => {
  it('goes on where it was: each document is written, proven and recorded once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(12)), async (due) => {
        const { report, world } = await runWithRests({}, (point) => due.includes(point));
        expect(world.destination.addresses().length).toBe(NAMES.length);
        expect(workIn(report, /^destination write/)).toEqual(
          NAMES.map((name) => `destination write ns/${name}`).toSorted(),
        );
        expect(workIn(report, /^row .* Verified/)).toEqual(
          NAMES.map((name) => `row ${name} Verified`).toSorted(),
        );
        expect(report.result.interrupted).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it('does nothing meanwhile that changes a backend or a row', async () => {
    const { during, rests } = await runWithRests({}, () => true);
    expect(rests).toBe(NAMES.length);
    expect(during).toEqual([]);
  });

  it('does so between removals too, and removes each source once', async () => {
    const { report, rests } = await runWithRests({ spec: { sourcePolicy: 'Delete' } }, () => true);
    expect(rests).toBe(2 * NAMES.length);
    expect(workIn(report, /^source delete/).length).toBe(NAMES.length);
    expect(report.removed).toBe(NAMES.length);
  });

  it('does so while a migration is taken back', async () => {
    const prior = NAMES.map((name) => aRow(name));
    const { rests } = await runWithRests({ task: 'undo', prior, spec: { undo: true } }, () => true);
    expect(rests).toBeGreaterThan(0);
  });

  it('ends there if it is stopped meanwhile: what follows is for the next run', async () => {
    const world = aWorld();
    for (const name of NAMES) world.source.put(name, { k: name });
    const work = new AbortController();
    const ended = runEngine({
      ...world,
      signal: work.signal,
      shouldStop: () => work.signal.aborted,
      rest: (log) => ({
        isDue: () => log.filter((line) => line.endsWith('Verified')).length >= 3,
        take: async () => {
          work.abort(new Error('deleted'));
          return Promise.reject(new Error('deleted'));
        },
      }),
    });
    await expect(ended).rejects.toThrow('deleted');
    expect(world.destination.addresses().length).toBeLessThan(NAMES.length);
  });
});
