import fc from 'fast-check';
import { expect, it } from 'vitest';
import { settle } from '#test/support/manual-clock.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import type { ReconcileContext } from './controller.ts';
import { sliceOf } from './slice-of.ts';
import { SliceWork } from './slice-work.ts';

const context: ReconcileContext = {
  reconcileId: 'r',
  signal: new AbortController().signal,
  logger: new RecordedLog(),
};
const KEYS = ['team-a/one', 'team-a/two', 'team-b/one', 'team-c/one'];
const COUNT = 16;
const OURS = sliceOf('team-a', COUNT);

function workOn(everywhere = false) {
  const work = new SliceWork(COUNT, false);
  const seen = {
    reconciled: [] as string[],
    woken: [] as string[],
    forgotten: [] as string[],
    stopped: [] as string[],
  };
  let until: Promise<void> | undefined;
  const reconcile = work.guarded(
    async (key) => {
      seen.reconciled.push(key);
      await until;
      return { kind: 'done' };
    },
    {
      keys: () => KEYS,
      wake: (key) => seen.woken.push(key),
      forget: (key) => seen.forgotten.push(key),
      stop: (isAmong) => {
        seen.stopped.push(...KEYS.filter(isAmong));
        return { [Symbol.dispose]: () => seen.stopped.splice(0) };
      },
      everywhere,
    },
  );
  const run = async (key: string) => reconcile(key, context);
  return {
    work,
    seen,
    run,
    hangUntil: (end: Promise<void>): void => {
      until = end;
    },
  };
}

it('the slices of a namespace are the same in every version of the operator', () => {
  const names = ['default', 'kube-system', 'payments', 'team-0', 'team-1'];
  expect(names.map((name) => [4, 8, 16].map((count) => sliceOf(name, count)))).toMatchInlineSnapshot(`
    [
      [
        1,
        5,
        5,
      ],
      [
        3,
        3,
        11,
      ],
      [
        3,
        7,
        15,
      ],
      [
        2,
        2,
        2,
      ],
      [
        1,
        5,
        13,
      ],
    ]
  `);
  expect(sliceOf(undefined, 8)).toBe(0);
});

it('namespaces are spread evenly over all slices', () => {
  for (const count of [2, 3, 7, 8, 16]) {
    const sizes = Array.from({ length: count }, () => 0);
    for (let index = 0; index < 5_000; index += 1) {
      const slice = sliceOf(`team-${index}`, count);
      sizes[slice] = (sizes[slice] ?? 0) + 1;
    }
    expect(Math.max(...sizes) / (5_000 / count), `${count} slices`).toBeLessThan(1.25);
    expect(Math.min(...sizes) / (5_000 / count), `${count} slices`).toBeGreaterThan(0.75);
  }
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 16 }), (namespace, count) => {
      const slice = sliceOf(namespace, count);
      return Number.isInteger(slice) && slice >= 0 && slice < count;
    }),
  );
});

it('works on the objects of open slices alone, and forgets those of others', async () => {
  const { work, seen, run } = workOn();
  await run('team-a/one');
  expect(seen).toMatchObject({ reconciled: [], forgotten: ['team-a/one'] });
  work.open(OURS);
  expect(seen.woken).toEqual(['team-a/one', 'team-a/two']);
  await run('team-a/one');
  await run('team-b/one');
  expect(seen.reconciled).toEqual(['team-a/one']);
});

it('closes a slice when its last reconcile has ended, begins no other one of it meanwhile, and then forgets its objects', async () => {
  const { work, seen, run, hangUntil } = workOn();
  work.open(OURS);
  const { promise, resolve } = Promise.withResolvers<void>();
  hangUntil(promise);
  const running = run('team-a/one');
  let isClosed = false;
  const closing = work.close(OURS).then(() => (isClosed = true));
  await settle();
  expect(seen.stopped).toEqual(['team-a/one', 'team-a/two']);
  await run('team-a/two');
  expect({ isClosed, reconciled: seen.reconciled }).toEqual({ isClosed: false, reconciled: ['team-a/one'] });
  resolve();
  await Promise.all([running, closing]);
  expect(seen.stopped).toEqual([]);
  expect(seen.forgotten).toEqual(['team-a/two', 'team-a/one', 'team-a/two']);
  expect(work.holds('team-a')).toBe(false);
});

it('works everywhere on what all replicas use, and waits for it, too', async () => {
  const { work, seen, run, hangUntil } = workOn(true);
  await run('shared');
  expect(seen.reconciled).toEqual(['shared']);
  expect(work.holds(undefined)).toBe(false);
  work.open(0);
  expect(work.holds(undefined)).toBe(true);
  const { promise, resolve } = Promise.withResolvers<void>();
  hangUntil(promise);
  const running = run('shared');
  let isClosed = false;
  const closing = work.close(0).then(() => (isClosed = true));
  await settle();
  expect(isClosed).toBe(false);
  resolve();
  await Promise.all([running, closing]);
});
