import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { parseJson } from '#src/json/parse.ts';
import { asJson } from './row-bytes.ts';

/*
 * Stored rows that this version would write in another way: a version that wrote a row for each key, a document in two reports. They
 * stay as they are until the document is recorded, so that nothing is written again only because it was read.
 */

/** The stored rows, each as JSON, if they are not as this version writes them: as a text of one byte a character. */
export function otherForm(stored: readonly string[], ours: readonly StatusRow[]): string | undefined {
  const isOurs = stored.length === ours.length && ours.every((row, index) => asJson(row) === stored[index]);
  return isOurs ? undefined : bytesOf(stored);
}

/** With more rows, each as JSON. */
export function appended(form: string, more: readonly string[]): string {
  return `${form},${bytesOf(more)}`;
}

/** The rows of a form. */
export function rowsIn(form: string): readonly StatusRow[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the JSON of rows
  return parseJson(`[${Buffer.from(form, 'latin1').toString()}]`) as readonly StatusRow[];
}

function bytesOf(rows: readonly string[]): string {
  return Buffer.from(rows.join(',')).toString('latin1');
}
