import { escapedJson } from '#src/errors/printable.ts';
import { canonicalJson } from './canonical-json.ts';
import type { Evidence } from './evidence.ts';

/** The report as JSON, one line a row: the same report has the same text. A terminal that shows it obeys nothing in it. */
export function textOf({ rows, ...rest }: Evidence): string {
  const lines = rows.map((row) => escapedJson(canonicalJson(row)));
  const header = escapedJson(canonicalJson(rest)).slice(0, -1);
  return `${header},"rows":[${lines.length === 0 ? '' : `\n${lines.join(',\n')}\n`}]}\n`;
}
