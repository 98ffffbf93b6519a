import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { onAbort, orAborted, whenAborted } from './abort.ts';

const reason = new Error('enough');
const never = new Promise<never>(() => undefined);

it('onAbort runs once, immediately if the signal is already aborted, and not after its disposal', () => {
  const controller = new AbortController();
  let runs = 0;
  const count = (): void => void (runs += 1);
  onAbort(controller.signal, () => expect.unreachable())[Symbol.dispose]();
  onAbort(controller.signal, count);
  controller.abort();
  controller.abort();
  expect(runs).toBe(1);
  onAbort(controller.signal, count);
  expect(runs).toBe(2);
});

it('orAborted gives the result or the reason, whichever comes first, and leaves no listener', async () => {
  const controller = new AbortController();
  expect(await orAborted(Promise.resolve(1), controller.signal)).toBe(1);
  await expect(orAborted(Promise.reject(new Error('own')), controller.signal)).rejects.toThrow('own');
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  const waiting = orAborted(never, controller.signal);
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(orAborted(never, controller.signal)).rejects.toBe(reason);
});

it('whenAborted resolves with the abort, also with an earlier one', async () => {
  const controller = new AbortController();
  const waiting = whenAborted(controller.signal);
  controller.abort(reason);
  await waiting;
  await whenAborted(controller.signal);
});
