import { escapedJson, isPrintable } from '#src/errors/printable.ts';
import type { Output } from './output.ts';
import { Problem } from './problem.ts';

/** What programs read. */
export type Format = 'json' | 'yaml';

/** The format of `-o`; undefined for people. Throws `Problem` for another word. */
export function formatOf(option: unknown): Format | undefined {
  if (option === undefined) return undefined;
  if (option === 'json' || option === 'yaml') return option;
  throw new Problem('-o: write json or yaml.');
}

/** Prints one document as `kubectl -o` does. Nothing in it is obeyed by a terminal. */
export async function printDocument(output: Output, document: object, format: Format): Promise<void> {
  const lines = format === 'yaml' ? await yamlOf(document) : undefined;
  // JSON is YAML too, and has an escape for each character.
  for (const line of lines ?? jsonOf(document)) output.line(line);
}

async function yamlOf(document: object): Promise<readonly string[] | undefined> {
  const { dump } = await import('js-yaml');
  // Without members that are undefined, as JSON.
  const plain: unknown = JSON.parse(JSON.stringify(document));
  const lines = dump(plain, { lineWidth: -1 }).trimEnd().split('\n');
  return lines.every(isPrintable) ? lines : undefined;
}

function jsonOf(document: object): readonly string[] {
  return JSON.stringify(document, undefined, 2).split('\n').map(escapedJson);
}
