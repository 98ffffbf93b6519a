import { Writable } from 'node:stream';
import { createLogUpdate } from 'log-update';
import type { Invocation } from './invocation.ts';
import type { Stream } from './output.ts';

/** A part of the terminal that is drawn again and again. */
export interface Screen {
  /** Draws the text in place of the one before; at most the lines of the terminal. */
  draw(text: string): void;
  /** Leaves the last text where it is, and shows the cursor. */
  end(): void;
}

/**
 * The terminal of the person; undefined in a pipe, and on one that cannot move its cursor. The cursor is hidden until `end`,
 * and shown again however the process ends.
 */
export function screenOf({
  env,
  output,
  streams,
}: Pick<Invocation, 'env' | 'output' | 'streams'>): Screen | undefined {
  if (!output.isTerminal || env['TERM'] === 'dumb') return undefined;
  const update = createLogUpdate(new TerminalStream(streams.stdout));
  return {
    draw: (text) => update(text),
    end: () => update.done(),
  };
}

/** The stream of a command as log-update wants it; its size is that of the moment. */
class TerminalStream extends Writable {
  readonly isTTY = true;
  readonly #stdout: Stream;

  constructor(stdout: Stream) {
    super({
      decodeStrings: false,
      write: (text: unknown, _encoding, done) => {
        stdout.write(String(text));
        done();
      },
    });
    this.#stdout = stdout;
  }

  get columns(): number | undefined {
    return this.#stdout.columns;
  }

  get rows(): number | undefined {
    return this.#stdout.rows;
  }
}
