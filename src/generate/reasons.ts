import {
  CONDITION_REASONS,
  EVENT_REASONS,
  LEFT_OUT_REASONS,
  ROW_REASONS,
} from '#src/api/v1alpha1/conditions.ts';
import { CODES, codesWith, inMarkdown, reasonsOf, stepsFor } from '#src/api/v1alpha1/steps.ts';
import type { CodeInfo } from '#src/errors/code-info.ts';

const NOTICE =
  '<!-- Generated from src/errors, src/api and src/generate by `make generate`; do not edit. -->';

/** docs/reasons.md: an entry with an anchor for each reason and for each error code. */
export function reasonsPage(): string {
  const conditions = Object.keys(CONDITION_REASONS);
  const rows = Object.keys(ROW_REASONS).filter((word) => !Object.hasOwn(CONDITION_REASONS, word));
  return `${[
    NOTICE,
    '# Reasons and error codes',
    'What each reason means, and what to do. `kubectl get` shows the reason of a migration or backend in the column STATUS; ' +
      'the [table of keys](keys.md) shows the reason of each key. While an object is not ready, its message ends with the ' +
      'address of an entry here. If you have a symptom and no reason, start with [troubleshooting](troubleshooting.md).',
    '## Reasons of migrations and backends',
    'The rows of a migration can have some of these reasons too, for a single document.',
    ...conditions.map(entryOf),
    '## Reasons of keys',
    ...rows.map(entryOf),
    '## Reasons of events',
    'All other events have a reason of the first list.',
    ...Object.keys(EVENT_REASONS).map(entryOf),
    '## Reasons of documents without a row',
    '`status.inventory.leftOut` counts them: [inventory](inventory.md).',
    ...Object.keys(LEFT_OUT_REASONS).map(entryOf),
    '## Error codes',
    'Log lines and metrics have these codes. [Errors](errors.md) says when each disposition is tried again.',
    ...CODES.map(([code, info]) => codeEntryOf(code, info)),
  ].join('\n\n')}\n`;
}

function entryOf(word: string): string {
  const lists = [CONDITION_REASONS, ROW_REASONS, EVENT_REASONS, LEFT_OUT_REASONS];
  const meanings = lists.flatMap((list) => new Map(Object.entries(list)).get(word) ?? []);
  const [meaning = '', ofRow] = [...new Set(meanings)];
  const codes = codesWith(word).map(([code]) => `[${code}](#code-${code.toLowerCase()})`);
  return [
    `### ${word}`,
    inMarkdown(meaning),
    ...(ofRow === undefined ? [] : [`In a row: ${inMarkdown(ofRow)}`]),
    listOf('What to do', stepsFor(word) ?? []),
    ...(codes.length === 0 ? [] : [`In the log: ${codes.join(', ')}.`]),
  ].join('\n\n');
}

function codeEntryOf(code: string, info: CodeInfo): string {
  const { disposition, summary, hint } = info;
  const shown = reasonsOf(code, info).map((reason) => `[${reason}](#${reason.toLowerCase()})`);
  return [
    // One code is spelled like a reason.
    `### Code ${code}`,
    inMarkdown(summary),
    listOf('What to do', [inMarkdown(hint)]),
    `Disposition: ${disposition}. Shown ${shown.length === 0 ? 'in the log only' : `as ${shown.join(' or ')}`}.`,
  ].join('\n\n');
}

function listOf(title: string, items: readonly string[]): string {
  if (items.length === 1) return `**${title}:** ${items[0]}`;
  return [`**${title}**, one of:`, '', ...items.map((item) => `- ${item}`)].join('\n');
}
