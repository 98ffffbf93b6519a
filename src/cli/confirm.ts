import { orAborted } from '#src/io/abort.ts';
import type { Session } from './session.ts';

/** Characters of an answer; the rest is not read. */
const MAX_ANSWER = 1024;

/** True when a person can be asked. */
export function canAsk({ streams }: Pick<Session, 'streams'>): boolean {
  return streams.stdin.isTTY === true;
}

/** Asks on the terminal. Only `y` and `yes` are a yes. Rejects with the reason of the signal at Ctrl-C. */
export async function confirmed(
  { signal, streams }: Pick<Session, 'signal' | 'streams'>,
  question: string,
): Promise<boolean> {
  streams.stderr.write(`${question} [y/N] `);
  const answer = await orAborted(firstLine(streams.stdin), signal);
  return ['y', 'yes'].includes(answer.trim().toLowerCase());
}

async function firstLine(input: Session['streams']['stdin']): Promise<string> {
  let text = '';
  for await (const chunk of input) {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    const end = text.indexOf('\n');
    if (end !== -1) return text.slice(0, end);
    if (text.length > MAX_ANSWER) return '';
  }
  return text;
}
