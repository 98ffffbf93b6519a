import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { Ending } from './ending.ts';

let clock: ManualClock;
let codes: number[];
let ending: Ending;

beforeEach(() => {
  clock = new ManualClock();
  codes = [];
  const exit = (code: number): void => void codes.push(code);
  ending = new Ending({ graceMs: 30_000, clock, logger: new RecordedLog(), exit });
});

describe('the end of the process', () => {
  test('comes its grace and one second after it has begun, whatever is still open', async () => {
    ending.begin(1);
    await clock.advance(30_999);
    expect(codes).toEqual([]);
    await clock.advance(1);
    expect(codes).toEqual([1]);
  });

  test('has the code and the time of its first cause', async () => {
    ending.begin(1);
    await clock.advance(20_000);
    ending.begin(0);
    await clock.advance(11_000);
    expect(codes).toEqual([1]);
    await clock.advance(60_000);
    expect(codes).toEqual([1]);
  });

  test('comes with 1 after a promise that nobody awaits was rejected, and its text is not shown', async () => {
    const { code, output } = await runProgram(`
      const logger = createLog({ level: 'info' });
      const graceMs = 100;
      const ending = new Ending({ graceMs, clock, logger, exit: (code) => process.exit(code) });
      setInterval(() => undefined, 60_000);
      const careless = {
        name: 'careless',
        start: async () => {
          setImmediate(() => void Promise.reject(new Error('hunter2')));
          return { done: new Promise(() => undefined) };
        },
      };
      const components = [uncaughtFailures(logger), careless];
      const onEnd = (failure) => ending.begin(failure === undefined ? 0 : 1);
      await runComponents({ components, graceMs, onEnd, clock, logger }, new AbortController().signal);
    `);
    expect(output).toContain('"msg":"uncaught failure"');
    expect(output).toContain('"msg":"component did not stop in time"');
    expect(output).not.toContain('hunter2');
    expect(code).toBe(1);
  });
});

/** Runs a program in a process of its own, as a broken one would end the process of the tests. */
async function runProgram(body: string): Promise<{ readonly code: unknown; readonly output: string }> {
  const program = `
    import { Ending, uncaughtFailures } from '#src/app/ending.ts';
    import { runComponents } from '#src/runtime/manager.ts';
    import { systemClock as clock } from '#src/runtime/system-clock.ts';
    import { createLog } from '#src/telemetry/log.ts';
    ${body}`;
  const args = ['--input-type=module', '--eval', program];
  const options = { cwd: join(import.meta.dirname, '..', '..'), timeout: 20_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, output: stdout + stderr });
    });
  });
}
