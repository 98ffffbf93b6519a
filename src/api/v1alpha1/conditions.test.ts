import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CAPABILITIES } from '#src/backends/capabilities.ts';
import {
  CONDITION_REASONS,
  CONDITION_TYPES,
  ROW_REASONS,
  ROW_STATE_MEANINGS,
  ROW_STATES,
} from './conditions.ts';

const SOURCE = join(import.meta.dirname, '..', '..');
const USERS = globSync('**/*.ts', { cwd: SOURCE })
  .filter((file) => !/^(api\/|backends\/capabilities\.ts)|\.test\.ts$/.test(file))
  .map((file) => readFileSync(join(SOURCE, file), 'utf8'))
  .join('\n');

const VOCABULARY = {
  CONDITION_TYPES,
  CONDITION_REASONS,
  ROW_REASONS,
  ROW_STATE_MEANINGS,
  CAPABILITIES,
};

describe.each(Object.entries(VOCABULARY))('%s', (_list, words) => {
  it.each(Object.entries(words))('has %s, which some source says, with a sentence', (word, sentence) => {
    expect(word).toMatch(/^[A-Z][A-Za-z0-9]*$/);
    expect(word.length).toBeLessThanOrEqual(64);
    expect(sentence).toMatch(/^[A-Z].*\.$/);
    expect(USERS).toMatch(new RegExp(`'${word}'|\\b${word}:`));
  });
});

it('gives every state of a row a meaning', () => {
  expect(Object.keys(ROW_STATE_MEANINGS)).toEqual([...ROW_STATES]);
});
