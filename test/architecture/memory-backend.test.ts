import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SOURCE = join(import.meta.dirname, '../../src');

it('the memory backend is imported by tests and by itself only, so that it never ships', () => {
  const sources = globSync('**/*.ts', { cwd: SOURCE }).filter((file) => !file.endsWith('.test.ts'));
  const importers = sources
    .filter((file) => !file.startsWith('backends/memory/'))
    .filter((file) => /from '[^']*\bmemory\/[^']+'/.test(readFileSync(join(SOURCE, file), 'utf8')));
  expect(sources.length).toBeGreaterThan(100);
  expect(importers).toEqual([]);
});
