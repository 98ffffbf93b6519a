import { NEVER, type CodeInfo } from '#src/errors/code-info.ts';
import { ERROR_CODES } from '#src/errors/codes.ts';
import { NEXT_STEPS } from './next-steps.ts';

/** Every error code with what is known of it. */
export const CODES: readonly (readonly [string, CodeInfo])[] = Object.entries(ERROR_CODES);

/** What to do about a reason, as Markdown with links relative to docs/; undefined if nothing says it. */
export function stepsFor(word: string): readonly string[] | undefined {
  const written = new Map(Object.entries(NEXT_STEPS)).get(word);
  if (written !== undefined) return [written];
  const hints = codesWith(word).map(([, { hint }]) => inMarkdown(hint));
  return hints.length === 0 ? undefined : [...new Set(hints)];
}

/** The error codes that show a reason. */
export function codesWith(word: string): typeof CODES {
  return CODES.filter(([code, info]) => reasonsOf(code, info).some((reason) => reason === word));
}

/** The reasons that show a code. */
export function reasonsOf(code: string, { conditionReason, rowReason }: CodeInfo): readonly string[] {
  const reasons = new Set([conditionReason, rowReason]);
  if (code !== 'INVARIANT') reasons.delete(NEVER);
  return [...reasons];
}

/** Texts of messages have no Markdown: what it would swallow is escaped. */
export function inMarkdown(text: string): string {
  return text.replaceAll(/[<*_]/g, String.raw`\$&`);
}
