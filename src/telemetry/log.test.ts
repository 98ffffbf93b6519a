import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { createLog, describeError } from './log.ts';
import type { LogOptions } from './log.ts';

/** A log and the lines that it wrote. */
function recordingLog(level: LogOptions['level'] = 'debug') {
  const lines: string[] = [];
  const log = createLog({ level, destination: { write: (line) => lines.push(line) } });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') };
}

function failing(): never {
  throw new TypeError('cannot read hunter2');
}

function thrownBy(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('createLog', () => {
  it('writes one JSON line with level, time, message and fields', () => {
    const { log, last } = recordingLog();
    log.info('migration done', { documents: 3, unset: undefined });
    expect(last()).toEqual({
      level: 'info',
      time: expect.stringMatching(/^[0-9]{4}-.*Z$/),
      msg: 'migration done',
      documents: 3,
    });
  });

  it('escapes what a terminal obeys in a text of a server, and loses nothing of it', () => {
    const { log, last, lines } = recordingLog();
    const target = 'a\u001b[2J\u009b31m\u202eb\u200b';
    log.info('document refused', { target });
    expect(last().target).toBe(target);
    expect(lines.at(-1)).toMatch(/^[\x20-\x7e]+\n$/);
  });

  it('omits lines below its level', () => {
    const { log, lines } = recordingLog('warn');
    log.debug('a');
    log.info('b');
    log.warn('c');
    expect(lines).toHaveLength(1);
  });

  it('gives a child the fields of its parents', () => {
    const { log, last } = recordingLog();
    log.child({ controller: 'migration' }).child({ reconcileID: 'r1' }).warn('slow', { seconds: 2 });
    expect(last()).toMatchObject({ controller: 'migration', reconcileID: 'r1', seconds: 2, level: 'warn' });
  });

  it('reduces an error of ours to code, operation, target, status and hint', () => {
    const { log, last } = recordingLog();
    const error = new OperatorError('AUTH_DENIED', { op: 'openbao.read', target: 'kv/a', status: 403 });
    log.error('document failed', new Error('wrapper', { cause: error }), { name: 'a' });
    expect(last()).toMatchObject({
      level: 'error',
      msg: 'document failed',
      name: 'a',
      error: { code: 'AUTH_DENIED', op: 'openbao.read', target: 'kv/a', status: 403, hint: error.hint },
    });
    expect(last().error.frames).toBeUndefined();
  });

  it('never writes the text of an error that is not ours', () => {
    const { log, lines } = recordingLog();
    log.error(
      'a',
      thrownBy(() => JSON.parse('hunter2-secret')),
    );
    log.error(
      'b',
      thrownBy(() => new URL('hunter2://[')),
    );
    log.error('c', thrownBy(failing));
    log.error('d', 'hunter2');
    log.error('e', new OperatorError('INVARIANT', { op: 'x', cause: thrownBy(failing) }));
    expect(lines.join('')).not.toContain('hunter2');
  });
});

describe('describeError', () => {
  it('shows the source locations of a bug, innermost first', () => {
    const { frames } = describeError(thrownBy(failing));
    expect(frames?.[0]).toMatch(/^failing src\/telemetry\/log\.test\.ts:[0-9]+:[0-9]+$/);
    expect(frames?.some((frame) => frame.includes('node_modules'))).toBe(false);
  });

  it('never treats lines of a message as frames, even if they look like frames', () => {
    const here = import.meta.filename;
    const error = new Error(`bad\n    at hunter2 (${here}:1:1)\n    at hunter2 (file://${here}:2:2)`);
    expect(describeError(error).frames?.join()).not.toContain('hunter2');
    error.message = 'changed';
    expect(describeError(error).frames).toEqual([]);
  });

  it('terminates on a circular chain of causes', () => {
    const error = new OperatorError('INVARIANT', { op: 'x', cause: new Error('a') });
    if (error.cause instanceof Error) error.cause.cause = error.cause;
    expect(describeError(error).code).toBe('INVARIANT');
  });
});
