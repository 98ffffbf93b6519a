import type { Output } from './output.ts';
import { Problem } from './problem.ts';
import type { Format } from './structured.ts';

/** The format of `-o`; undefined for people. Throws `Problem` for another word. */
export function formatOf(option: unknown): Format | undefined {
  if (option === undefined) return undefined;
  if (option === 'json' || option === 'yaml') return option;
  throw new Problem('-o: write json or yaml.');
}

/** Prints one document as `kubectl -o` does. */
export async function printDocument(output: Output, document: object, format: Format): Promise<void> {
  const { structured } = await import('./structured.ts');
  output.line(structured(document, format));
}
