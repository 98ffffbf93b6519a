import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const folder = join(import.meta.dirname, '../../docs/adr');
const records = readdirSync(folder)
  .filter((name) => name !== 'README.md')
  .toSorted();

describe('docs/adr', () => {
  it('names each record NNNN-title.md, with a number of its own', () => {
    expect(records.length).toBeGreaterThan(0);
    expect(records.filter((name) => !/^\d{4}-[a-z0-9-]+\.md$/.test(name))).toEqual([]);
    const numbers = records.map((name) => name.slice(0, 4));
    expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([]);
  });

  it('lists each record once, in order, with the title that it has', () => {
    const list = readFileSync(join(folder, 'README.md'), 'utf8');
    const listed = [...list.matchAll(/^- \[(\d{4})\]\(([^)]+)\): (.+)$/gm)].map(
      ([, number = '', file = '', title = '']) => ({ file, heading: `# ${number}: ${title}` }),
    );
    const actual = records.map((file) => ({
      file,
      heading: readFileSync(join(folder, file), 'utf8').split('\n', 1)[0],
    }));
    expect(listed).toEqual(actual);
  });

  it('gives each record a status, a context, a decision and consequences', () => {
    const parts = [/^Status: (accepted|superseded by \d{4})$/m, /^## Context$/m, /^## Decision$/m];
    const incomplete = records.filter((name) => {
      const text = readFileSync(join(folder, name), 'utf8');
      return ![...parts, /^## Consequences$/m].every((part) => part.test(text));
    });
    expect(incomplete).toEqual([]);
  });
});
