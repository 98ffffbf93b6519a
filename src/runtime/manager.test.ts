import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { runComponents, type Component } from './manager.ts';

let story: string[];
let clock: ManualClock;
const stop = (): AbortController => new AbortController();

beforeEach(() => {
  story = [];
  clock = new ManualClock();
});

function component(name: string, end?: (signal: AbortSignal) => Promise<void>): Component {
  return {
    name,
    start: async (signal) => {
      story.push(`start ${name}`);
      const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      return {
        done: (end === undefined ? aborted : end(signal)).finally(() => story.push(`end ${name}`)),
      };
    },
  };
}

const options = (components: readonly Component[]): Parameters<typeof runComponents>[0] => ({
  components,
  graceMs: 10_000,
  clock,
  logger: new RecordedLog(),
});

describe('runComponents', () => {
  test('starts in order and stops in reverse order', async () => {
    const controller = stop();
    const running = runComponents(
      options([component('a'), component('b'), component('c')]),
      controller.signal,
    );
    await clock.advance(0);
    controller.abort();
    await running;
    expect(story).toEqual(['start a', 'start b', 'start c', 'end c', 'end b', 'end a']);
    expect(clock.pending).toBe(0);
  });

  test('a component that fails stops the others, and the caller gets its failure', async () => {
    const failure = new Error('lost');
    const failing = component('b', async () => await Promise.reject(failure));
    await expect(runComponents(options([component('a'), failing]), stop().signal)).rejects.toBe(failure);
    expect(story).toEqual(['start a', 'start b', 'end b', 'end a']);
  });

  test('a component that cannot start stops those before it', async () => {
    const failing: Component = {
      name: 'b',
      start: async () => await Promise.reject(new Error('port taken')),
    };
    await expect(
      runComponents(options([component('a'), failing, component('c')]), stop().signal),
    ).rejects.toThrow('port taken');
    expect(story).toEqual(['start a', 'end a']);
  });

  test('shutdown does not wait for a component that never becomes ready', async () => {
    const controller = stop();
    const waiting: Component = {
      name: 'cache',
      start: async (signal) =>
        await new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason)),
        ),
    };
    const running = runComponents(options([component('a'), waiting, component('c')]), controller.signal);
    await clock.advance(0);
    controller.abort();
    await running;
    expect(story).toEqual(['start a', 'end a']);
  });

  test('abandons a component that does not stop within the grace period, and still stops the rest', async () => {
    const controller = stop();
    const stuck = component('b', async () => await new Promise(() => undefined));
    const running = runComponents(options([component('a'), stuck]), controller.signal);
    await clock.advance(0);
    controller.abort();
    await clock.advance(10_000);
    await running;
    expect(story).toEqual(['start a', 'start b', 'end a']);
  });

  test('says that the end has begun before it stops the first component, and whether one failed', async () => {
    const failure = new Error('lost');
    const failing = component('b', async () => await Promise.reject(failure));
    const unable: Component = { name: 'c', start: async () => await Promise.reject(failure) };
    const onEnd = (cause?: unknown): void => void story.push(cause === failure ? 'failed' : 'asked');
    for (const last of [failing, unable]) {
      story = [];
      const running = runComponents({ ...options([component('a'), last]), onEnd }, stop().signal);
      await expect(running).rejects.toBe(failure);
      expect(story.slice(-2)).toEqual(['failed', 'end a']);
    }
    story = [];
    const controller = stop();
    const running = runComponents({ ...options([component('a')]), onEnd }, controller.signal);
    await clock.advance(0);
    controller.abort();
    await running;
    expect(story).toEqual(['start a', 'asked', 'end a']);
  });
});
