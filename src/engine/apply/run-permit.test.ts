import { expect, it } from 'vitest';
import { stopped } from '#src/errors/stopped.ts';
import { completing, removing, type RunPermit } from './run-permit.ts';

const reason = stopped('The spec of the migration changed.');

function aRun() {
  const work = new AbortController();
  const settling = new AbortController();
  const during = (signal: AbortSignal) => ({ signal, require: () => signal.throwIfAborted() });
  const permit: RunPermit = { ...during(work.signal), toComplete: during(settling.signal) };
  return { permit, stop: () => work.abort(reason), cut: () => settling.abort(reason) };
}

it('a write that has begun may be completed after a stop, until its time to settle is over', () => {
  const run = aRun();
  const write = completing(run.permit);
  write.require();
  run.stop();
  write.require();
  expect(write.signal.aborted).toBe(false);
  run.cut();
  expect(() => write.require()).toThrow(reason);
  expect(write.signal.aborted).toBe(true);
});

it('a write that has not begun does not begin after a stop', () => {
  const run = aRun();
  const write = completing(run.permit);
  run.stop();
  expect(() => write.require()).toThrow(reason);
  expect(() => write.require()).toThrow(reason);
});

it('no request of a removal leaves after a stop, but the reply to one that was sent is awaited', () => {
  const run = aRun();
  const removal = removing(run.permit);
  removal.require();
  run.stop();
  expect(() => removal.require()).toThrow(reason);
  expect(removal.signal.aborted).toBe(false);
});
