import type { Output, Streams } from '../output.ts';
import { Problem } from '../problem.ts';

/*
 * A secret that a person gives: from standard input, never from an argument or the environment, which other processes of the
 * machine can read.
 */

/** More than any token, secret id or key. */
const MAX_BYTES = 64 * 1024;

const [CTRL_C, CTRL_D, BACKSPACE, NEWLINE, RETURN, DELETE] = [3, 4, 8, 10, 13, 127] as const;

/** What is asked for. */
export interface Wanted {
  /** In words: `the token`. */
  readonly what: string;
  /** The flag that says that it comes through a pipe: `--token-stdin`. */
  readonly flag: string;
  /** Whether that flag was typed. */
  readonly isPiped: boolean;
  /** A private key has lines: it is read from a pipe only. */
  readonly hasLines: boolean;
}

/**
 * The secret: all of a pipe without the newline at its end, or what is typed at a terminal, which does not show it. Throws
 * `Problem` for a pipe without the flag, a terminal that cannot hide what is typed, and what cannot be a secret of this kind.
 */
export async function readSecret(
  { stdin }: Pick<Streams, 'stdin'>,
  output: Output,
  wanted: Wanted,
): Promise<Buffer> {
  const { what, flag, isPiped, hasLines } = wanted;
  if (stdin.isTTY === true) {
    if (hasLines)
      throw new Problem(
        `Give ${what} through a pipe, for example: keyferry backend create … ${flag} < tls.key`,
      );
    return checked(await typedAt(stdin, output, what), wanted);
  }
  if (!isPiped)
    throw new Problem(
      `${flag} is missing: ${what} is read from standard input, never from an argument. Pipe it, and add ${flag}; or name a Secret that has it with --secret.`,
    );
  return checked(await pipedFrom(stdin), wanted);
}

async function pipedFrom(stdin: Streams['stdin']): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const read = Buffer.from(chunk);
    bytes += read.length;
    if (bytes > MAX_BYTES)
      throw new Problem('Standard input has more than 64 KiB, which is not a secret of this kind.');
    chunks.push(read);
  }
  return Buffer.concat(chunks);
}

/** One line, typed without echo. */
async function typedAt(stdin: Streams['stdin'], output: Output, what: string): Promise<Buffer> {
  if (stdin.setRawMode === undefined)
    throw new Problem('This terminal cannot hide what is typed. Give the secret through a pipe.');
  output.ask(`Enter ${what} (it is not shown): `);
  stdin.setRawMode(true);
  try {
    return Buffer.from(await lineOf(stdin));
  } finally {
    stdin.setRawMode(false);
    output.note('');
  }
}

async function lineOf(stdin: Streams['stdin']): Promise<readonly number[]> {
  const typed: number[] = [];
  for await (const chunk of stdin) {
    for (const key of Buffer.from(chunk)) {
      if (key === CTRL_C) throw new Problem('Interrupted. Nothing was created.');
      if (key === NEWLINE || key === RETURN || key === CTRL_D) return typed;
      if (key === BACKSPACE || key === DELETE) typed.pop();
      else typed.push(key);
    }
    if (typed.length > MAX_BYTES)
      throw new Problem('More than 64 KiB were typed, which is not a secret of this kind.');
  }
  return typed;
}

function checked(read: Buffer, { what, hasLines }: Wanted): Buffer {
  const end = read.at(-1) === NEWLINE ? (read.at(-2) === RETURN ? -2 : -1) : undefined;
  const secret = hasLines ? read : read.subarray(0, end);
  if (secret.length === 0)
    throw new Problem(`Standard input is empty, and ${what} is needed. Nothing was created.`);
  if (!hasLines && secret.some((byte) => byte === NEWLINE || byte === RETURN || byte === 0))
    throw new Problem(`Standard input has several lines, and ${what} is one. Nothing was created.`);
  return secret;
}
