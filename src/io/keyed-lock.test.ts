import { expect, it } from 'vitest';
import { settle } from '#test/support/manual-clock.ts';
import { KeyedLock } from './keyed-lock.ts';

it('lets a caller give up its wait, and still runs one task at a time', async () => {
  const lock = new KeyedLock();
  const log: string[] = [];
  const first = Promise.withResolvers<void>();
  const holding = lock.runAll(['a'], async () => first.promise);
  const impatient = new AbortController();
  const reason = new Error('stopped');
  const task = async (): Promise<void> => Promise.resolve(void log.push('ran'));
  const given = lock.runAll(['a', 'b'], task, impatient.signal);
  const next = lock.runAll(['a'], task);
  impatient.abort(reason);
  await expect(given).rejects.toBe(reason);
  await settle();
  expect(log).toEqual([]);
  first.resolve();
  await Promise.all([holding, next]);
  expect(log).toEqual(['ran']);
});
