import { sep } from 'node:path';
import { pino, stdTimeFunctions } from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import { messageOf } from '#src/errors/explain.ts';
import { escapedJson } from '#src/errors/printable.ts';
import { errorOf } from '#src/errors.ts';
import type { LogFields, Logger } from '#src/ports.ts';

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/** A log of JSON lines: level, time, the constant message and the fields. */
export function createLog(options: LogOptions): Logger {
  const settings = {
    level: options.level,
    // No pid and host name: the log collector knows the pod.
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
    // JSON leaves some characters as they are that a terminal obeys, such as U+009B and U+202E.
    hooks: { streamWrite: (line: string) => `${escapedJson(line.slice(0, -1))}\n` },
  };
  return new PinoLog(
    options.destination === undefined ? pino(settings) : pino(settings, options.destination),
  );
}

class PinoLog implements Logger {
  readonly #pino: PinoLogger;

  constructor(log: PinoLogger) {
    this.#pino = log;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#pino.debug(fields, message);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#pino.info(fields, message);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#pino.warn(fields, message);
  }

  error(message: string, error: unknown, fields: LogFields = {}): void {
    this.#pino.error({ ...fields, error: describeError(error) }, message);
  }

  child(fields: LogFields): Logger {
    return new PinoLog(this.#pino.child(fields));
  }
}

/**
 * The parts of `explain`, each as its own field and in full: a line has space. Never has the text of an error that is not
 * ours, because it may quote its input.
 */
export interface ErrorDescription {
  readonly code: string;
  readonly summary: string;
  readonly op: string;
  readonly target: string | undefined;
  readonly status: number | undefined;
  readonly hint: string;
  /** For a bug: our source locations, innermost first. */
  readonly frames: readonly string[] | undefined;
}

export function describeError(thrown: unknown): ErrorDescription {
  const error = errorOf(thrown);
  const { happened, hint } = messageOf(error);
  return {
    code: error.code,
    summary: happened,
    op: error.op,
    target: error.target,
    status: error.status,
    hint,
    frames: error.disposition === 'bug' ? ownFrames(innermost(error)) : undefined,
  };
}

/** The error at the end of the cause chain: the root cause. */
function innermost(error: Error): Error {
  let last = error;
  // A circular chain is possible in JavaScript; ten links are more than any of our chains has.
  for (let depth = 0; depth < 10 && last.cause instanceof Error; depth += 1) last = last.cause;
  return last;
}

const ROOT = `${import.meta.dirname.split(sep).slice(0, -2).join('/')}/`;
const FRAME = /^ {4}at (?:(?<callee>[\w.<># [\]]+) \()?(?:file:\/\/)?(?<place>\/[^():]+:[0-9]+:[0-9]+)\)?$/;
const MOST_FRAMES = 12;

/** Frames in files of this project, with relative paths. */
function ownFrames(error: Error): readonly string[] {
  const frames: string[] = [];
  for (const line of stackWithoutMessage(error).split('\n')) {
    const { callee, place } = FRAME.exec(line)?.groups ?? {};
    if (place === undefined || !place.startsWith(ROOT) || place.includes('/node_modules/')) continue;
    const where = place.slice(ROOT.length);
    frames.push(callee === undefined ? where : `${callee} ${where}`);
  }
  return frames.slice(0, MOST_FRAMES);
}

/** A stack starts with the class and the message, which may have lines that look like frames. */
function stackWithoutMessage({ stack = '', message }: Error): string {
  const at = stack.indexOf(message);
  // A message that was changed later cannot be distinguished from frames: return nothing rather than a line of it.
  return at < 0 || stack.slice(0, at).includes('\n') ? '' : stack.slice(at + message.length);
}
