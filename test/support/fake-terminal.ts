import { stripVTControlCharacters } from 'node:util';
import { Output, type Streams } from '#src/cli/output.ts';
import type { Invocation } from '#src/cli/invocation.ts';
import type { Clock } from '#src/ports.ts';
import { ManualClock } from './manual-clock.ts';

/** What a command printed. */
export interface Printed {
  readonly out: () => string;
  readonly err: () => string;
  readonly invocation: Invocation;
}

/** An invocation that keeps what the command prints; `columns`: on a terminal of this width, else in a pipe. */
export function fakeTerminal(
  options: {
    readonly columns?: number;
    readonly rows?: number;
    readonly clock?: Clock;
    readonly env?: Invocation['env'];
  } = {},
): Printed {
  const { clock = new ManualClock(), columns, env = {}, rows = 40 } = options;
  let [out, err] = ['', ''];
  const size = columns === undefined ? {} : { isTTY: true, columns, rows };
  const streams: Streams = {
    stdout: { write: (text: string) => (out += text), ...size },
    stderr: { write: (text: string) => (err += text) },
    stdin: (async function* none() {})(),
  };
  const { signal } = new AbortController();
  const output = new Output(streams, env);
  const invocation = { flags: {}, env, streams, output, clock, version: 'test', signal };
  return { out: () => out, err: () => err, invocation };
}

/** Without colors. */
export function plain(text: string): string {
  return stripVTControlCharacters(text);
}
