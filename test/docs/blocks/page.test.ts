import { describe, expect, it } from 'vitest';
import { parsePage, problemOf } from './page.ts';

function parse(...lines: readonly string[]) {
  return parsePage('docs/page.md', lines.join('\n'));
}

describe('a page of documentation', () => {
  it('needs an operator unless its first line says what it needs', () => {
    expect(parse('# Title').needs).toBe('operator');
    expect(parse('<!-- test: needs=installs -->', '# Title').needs).toBe('installs');
    expect(() => parse('<!-- test: needs=luck -->')).toThrow(
      'docs/page.md:1: "needs=luck" is not needs=installs|cluster',
    );
    expect(parse('<!-- test: needs=operator with=payments,secrets -->').prepared).toEqual([
      'payments',
      'secrets',
    ]);
    expect(() => parse('<!-- test: needs=operator with=nothing -->')).toThrow('nothing.sh is missing');
  });

  it('has a step for each command of a console block, with the output below it', () => {
    const { steps } = parse('```console', '$ one', '1', '$ two <<EOF', '> text', '>', '> EOF', '2', '```');
    expect(steps).toMatchObject([
      { line: 2, text: 'one', expected: ['1'] },
      { line: 4, text: 'two <<EOF\ntext\n\nEOF', expected: ['2'] },
    ]);
  });

  it('has one step for a block of sh, whose output it does not show', () => {
    expect(parse('```sh', 'one', 'two', '```').steps).toMatchObject([
      { text: 'one\ntwo', expected: undefined },
    ]);
  });

  it('applies an object, and checks a fragment', () => {
    const { steps } = parse('```yaml', 'apiVersion: v1', 'kind: Secret', '```', '```yaml', 'spec: {}', '```');
    expect(steps[0]?.text).toContain('kubectl apply -f -');
    expect(steps[1]).toMatchObject({ kind: 'fragment', text: 'spec: {}' });
  });

  it('reads blocks in lists, without their indentation', () => {
    expect(parse('1. first', '', '   ```sh', '   one', '   ```').steps).toMatchObject([{ text: 'one' }]);
    expect(parse('1. first', '', '    continued text').steps).toEqual([]);
  });

  it('does not execute what only shows something', () => {
    expect(parse('```json', '{}', '```', '```hcl', '```', '```text', 'no command', '```').steps).toEqual([]);
  });

  it('expects the last command of a block to fail if a comment says so', () => {
    const { steps } = parse(
      '<!-- test: fails -->',
      '```console',
      '$ one',
      '$ two',
      '```',
      '```sh',
      'three',
      '```',
    );
    expect(steps.map(({ fails }) => fails)).toEqual([false, true, false]);
  });

  it('names what is not executed, why, and the test that covers it', () => {
    const { steps, notRun } = parse(
      '<!-- test: not run; because it needs a registry; covered by test/docs/blocks/page.test.ts -->',
      '',
      '```sh',
      'docker push',
      '```',
    );
    expect(steps).toEqual([]);
    expect(notRun).toEqual([
      { line: 3, reason: 'it needs a registry', coveredBy: 'test/docs/blocks/page.test.ts' },
    ]);
    expect(notRun.map(problemOf)).toEqual([undefined]);
    expect(problemOf({ line: 1, reason: '', coveredBy: 'test/gone.test.ts' })).toBe(
      'test/gone.test.ts does not exist',
    );
  });
});

describe('a page is refused, with the line,', () => {
  it.each([
    [
      'for a block without a language',
      ['', '```', 'text', '```'],
      'docs/page.md:2: a block of the language ""',
    ],
    [
      'for a block of an unknown language',
      ['```bash', 'ls', '```'],
      'docs/page.md:1: a block of the language "bash"',
    ],
    ['for an indented block', ['Run:', '', '    make test'], 'docs/page.md:3: an indented block'],
    [
      'for YAML that is neither an object nor a fragment',
      ['```yaml', 'a: 1', '```'],
      'docs/page.md:1: YAML without',
    ],
    [
      'for a console block that begins with output',
      ['```console', 'text', '```'],
      'docs/page.md:2: a console block',
    ],
    [
      'for a command in a block that is only shown',
      ['```text', '$ ls', '```'],
      'docs/page.md:2: a command in a block that is not executed',
    ],
    ['for a block without an end', ['```sh', 'ls'], 'docs/page.md:1: the block has no end'],
    [
      'for a comment without a reason',
      ['<!-- test: not run -->', '```sh', '```'],
      '"test: not run" says nothing known',
    ],
    [
      'for a comment without a block',
      ['<!-- test: fails -->', 'text'],
      'docs/page.md:2: a comment "test:" has no block',
    ],
  ])('%s', (_reason, lines, problem) => {
    expect(() => parse(...lines)).toThrow(problem);
  });
});
