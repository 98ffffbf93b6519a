import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const model = readFileSync(join(root, 'docs/security/threat-model.md'), 'utf8');

const rows = model.split('\n').filter((line) => /^\| T\d+\.\d+ /.test(line));

/** `file` › "title" */
const TEST = /`([^`]+\.test\.ts)` › "([^"]+)"/g;

/** The title of a test as it stands in its source: there, a quote of the same kind is escaped. */
function hasTest(file: string, title: string): boolean {
  if (!existsSync(join(root, file))) return false;
  const source = readFileSync(join(root, file), 'utf8').replaceAll(/\\(['"`])/g, '$1');
  return source.includes(title);
}

describe('the threat model', () => {
  it('names a test for each control', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter((row) => [...row.matchAll(TEST)].length === 0)).toEqual([]);
  });

  it('names only tests that exist', () => {
    const named = rows.flatMap((row) => [...row.matchAll(TEST)]);
    const missing = named.filter(([, file = '', title = '']) => !hasTest(file, title));
    expect(missing.map(([text]) => text)).toEqual([]);
  });

  it('gives each threat a number of its own', () => {
    const numbers = [...model.matchAll(/^\| (T\d+\.\d+) /gm)].map(([, number]) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});
