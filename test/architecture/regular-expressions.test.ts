import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCE = join(import.meta.dirname, '../../src');
const sources = globSync('**/*.ts', { cwd: SOURCE })
  .filter((file) => !file.endsWith('.test.ts'))
  .map((file) => ({ file, text: readFileSync(join(SOURCE, file), 'utf8') }));

/** The files that match, without comments: a comment may speak of what the code must not do. */
function filesWith(pattern: RegExp): readonly string[] {
  const isCode = (line: string): boolean => !/^\s*(\/?\*|\/\/)/.test(line);
  return sources
    .filter(({ text }) => text.split('\n').some((line) => isCode(line) && pattern.test(line)))
    .map(({ file }) => file);
}

describe('regular expressions in src (ADR 0043)', () => {
  it('are never built from data: lint forbids the global, whatever it is called through', () => {
    expect(sources.length).toBeGreaterThan(100);
    expect(filesWith(/\bRegExp\(|globalThis\b.*\bRegExp\b/)).toEqual([]);
    const rules = readFileSync(join(SOURCE, '../.oxlintrc.json'), 'utf8');
    expect(rules).toContain('"name": "RegExp"');
  });

  it('are not made in passing either: match, matchAll and search compile a text that is given to them', () => {
    expect(filesWith(/\.(match|matchAll|search)\((?!\/|[A-Z][A-Z_]*\))/)).toEqual([]);
  });
});
