import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const glossary = readFileSync(join(import.meta.dirname, '../../docs/glossary.md'), 'utf8');
const lines = glossary.split('\n').filter((line) => line.startsWith('| **'));
const rows = lines.map((line) => {
  const [, word = '', , not = ''] = line.split('|').map((cell) => cell.trim());
  return { word: word.replaceAll('**', ''), not: not.split(', ') };
});
const words = rows.map(({ word }) => word);

describe('docs/glossary.md', () => {
  it('has each word once, in order', () => {
    expect(words.length).toBeGreaterThan(30);
    expect(words).toEqual([...new Set(words)].toSorted());
  });

  it('has three columns in each row: a word, what it means, and what not to call it', () => {
    const cells = /^\| \*\*[a-z ]+\*\* \| [^|]+ \| [a-z ,]+ \|$/;
    expect(lines.filter((line) => !cells.test(line))).toEqual([]);
  });

  it('takes no word for one concept that it warns of for another', () => {
    const warned = rows.flatMap(({ word, not }) => not.map((each) => ({ word, each })));
    expect(warned.filter(({ each }) => words.includes(each))).toEqual([]);
  });
});
