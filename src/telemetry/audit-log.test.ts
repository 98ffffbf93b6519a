import { appendFile, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { explain } from '#src/errors/explain.ts';
import { errorOf } from '#src/errors.ts';
import type { AccessRecord, Logger, Metrics } from '#src/ports.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { AuditLog } from './audit-log.ts';
import { openAuditSink, type AuditSink } from './audit-sink.ts';

const { signal } = new AbortController();
const LineSchema = z.looseObject({ path: z.string() });
const ignore = (): void => undefined;
const metrics: Metrics = { count: ignore, observe: ignore, gauge: ignore };

function aLogger() {
  const lines: string[] = [];
  const say = (message: string): void => void lines.push(message);
  const logger: Logger = { debug: say, info: say, warn: say, error: say, child: () => logger };
  return { logger, lines };
}

function access(path: string): AccessRecord {
  return {
    operation: 'read',
    migration: { namespace: 'ns', name: 'm', uid: 'u' },
    backend: { kind: 'SecretBackend', namespace: 'ns', name: 'bao' },
    path,
    keys: ['a', 'b'],
    outcome: 'present',
  };
}

/** Takes the given numbers of bytes, in order; 0 is a failure. Then takes all bytes. */
function aSink(turns: number[]) {
  const taken: Buffer[] = [];
  const sink: AuditSink = {
    write: async (bytes, offset) => {
      const turn = turns.shift() ?? bytes.length;
      if (turn === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      const end = Math.min(bytes.length, offset + turn);
      taken.push(Buffer.from(bytes.subarray(offset, end)));
      return await Promise.resolve(end);
    },
    close: async () => Promise.resolve(),
  };
  return { sink, text: () => Buffer.concat(taken).toString() };
}

function pathsIn(text: string): readonly string[] {
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => LineSchema.parse(JSON.parse(line)).path);
}

/** Advances the clock until the promise is settled. */
async function inTime<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  const state = { settled: false };
  const done = promise.finally(() => {
    state.settled = true;
  });
  while (!state.settled) await clock.advance(1_000);
  return await done;
}

describe('the audit log', () => {
  it('contains every record once, whole and in order, whatever part of a write succeeds', async () => {
    const check = async (names: string[], turns: number[]): Promise<void> => {
      const clock = new ManualClock();
      const { sink, text } = aSink([...turns]);
      const log = new AuditLog({ sink, clock, metrics, logger: aLogger().logger });
      await inTime(clock, Promise.all(names.map(async (name) => log.record(access(name), signal))));
      expect(pathsIn(text())).toEqual(names);
    };
    const names = fc.array(fc.string(), { minLength: 1, maxLength: 20 });
    await fc.assert(fc.asyncProperty(names, fc.array(fc.nat(80), { maxLength: 20 }), check));
  });

  it('makes callers wait until the record is written, reports this once, and resumes automatically', async () => {
    const clock = new ManualClock();
    const { logger, lines } = aLogger();
    const log = new AuditLog({ sink: aSink([0, 0, 0]).sink, clock, metrics, logger });
    const told: boolean[] = [];
    log.onChange(() => void told.push(log.isBlocked));
    using _ended = log.onChange(() => void told.push(log.isBlocked));
    _ended[Symbol.dispose]();
    let wentOn = false;
    const recorded = log.record(access('a'), signal).finally(() => {
      wentOn = true;
    });
    await clock.advance(1_500);
    expect([log.isBlocked, wentOn]).toEqual([true, false]);
    await inTime(clock, recorded);
    expect(log.isBlocked).toBe(false);
    expect(lines).toEqual(['audit log blocked; accesses wait', 'audit log resumed']);
    expect(told).toEqual([true, false]);
  });

  it('keeps the record of a caller that stopped waiting', async () => {
    const clock = new ManualClock();
    const { sink, text } = aSink([0]);
    const log = new AuditLog({ sink, clock, metrics, logger: aLogger().logger });
    const stop = new AbortController();
    const waiting = log.record(access('a'), stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await inTime(clock, log.record(access('b'), signal));
    expect(pathsIn(text())).toEqual(['a', 'b']);
  });

  it('has exactly the documented members in the documented order', async () => {
    const clock = new ManualClock();
    const { sink, text } = aSink([]);
    const log = new AuditLog({ sink, clock, metrics, logger: aLogger().logger });
    const fromOutside = { ...access('a'), version: '3', value: 'not for the log' };
    await log.record(fromOutside, signal);
    expect([...text().matchAll(/"(\w+)":/g)].map(([, member]) => member)).toEqual([
      'time',
      'stream',
      'version',
      'sequence',
      'operation',
      'migration',
      'namespace',
      'name',
      'uid',
      'backend',
      'kind',
      'namespace',
      'name',
      'path',
      'documentVersion',
      'keys',
      'outcome',
    ]);
  });
});

describe('a file as the audit log', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyferry-audit-'));
    file = join(folder, 'audit.log');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  const first = Buffer.from('one\ntwo\n');

  it('is created for its owner only, and is appended to', async () => {
    const sink = await openAuditSink(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await appendFile(file, 'earlier\n');
    expect(await sink.write(first, 0)).toBe(first.length);
    expect(await readFile(file, 'utf8')).toBe('earlier\none\ntwo\n');
    await sink.close();
  });

  it('is followed by a new file after rotation, which starts with a whole line', async () => {
    const sink = await openAuditSink(file);
    await rename(file, `${file}.1`);
    // Half of "two" is in the old file.
    expect(await sink.write(first, 6)).toBe(first.length);
    expect(await readFile(file, 'utf8')).toBe('two\n');
    await sink.close();
  });

  it('says that the log is blocked, not that the flags are wrong, when a folder takes its place', async () => {
    const sink = await openAuditSink(file);
    await rename(file, `${file}.1`);
    await mkdir(file);
    expect(await sink.write(first, 0).catch(errorOf)).toMatchObject({ code: 'AUDIT_LOG_BLOCKED' });
    await sink.close();
  });

  it.each<[string, (path: string) => Promise<unknown>, string]>([
    ['a link', async (path) => symlink('/dev/null', path), 'not a link'],
    ['readable by everybody', async (path) => writeFile(path, '', { mode: 0o644 }), 'chmod o-rwx'],
    ['a folder', async (path) => mkdir(path), 'cannot be opened'],
  ])('is refused when it is %s', async (_what, prepare, words) => {
    await prepare(file);
    const refusal = await openAuditSink(file).catch((failure: unknown) => errorOf(failure));
    expect(refusal).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(explain(refusal)).toContain(words);
  });

  it('is refused when its folder does not exist', async () => {
    const refusal = await openAuditSink(join(folder, 'none', 'audit.log')).catch(errorOf);
    expect(explain(refusal)).toContain('Create its folder');
  });
});

it('writes for a credential exactly the members of its table, in this order', async () => {
  const { sink, text } = aSink([]);
  const log = new AuditLog({ sink, clock: new ManualClock(0), logger: aLogger().logger, metrics });
  await log.record(
    {
      operation: 'readCredential',
      backend: { kind: 'SecretBackend', namespace: 'ns', name: 'bao' },
      address: 'https://bao:8200',
      credential: { kind: 'Secret', namespace: 'ns', name: 'token' },
      keys: ['token'],
      outcome: 'done',
    },
    signal,
  );
  expect(text()).toBe(
    '{"time":"1970-01-01T00:00:00.000Z","stream":"audit","version":1,"sequence":1,"operation":"readCredential","backend":{"kind":"SecretBackend","namespace":"ns","name":"bao"},"address":"https://bao:8200","credential":{"kind":"Secret","namespace":"ns","name":"token"},"keys":["token"],"outcome":"done"}\n',
  );
});
