import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { parseSync } from 'rolldown/utils';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Room → rooms that it may import. A room is a folder of src, or one file of it without its `.ts`. */
type Law = ReadonlyMap<string, ReadonlySet<string>>;

/** Path of a file below src → its text. */
type Sources = Readonly<Record<string, string>>;

/** The block `import-law` of a document: `room → room, room` a line. */
function lawIn(markdown: string): Law {
  const block = /^```import-law\n(.*?)^```/ms.exec(markdown)?.[1] ?? '';
  const law = new Map<string, ReadonlySet<string>>();
  for (const row of block.split('\n').filter((line) => line.trim() !== '')) {
    const match = /^(\S+) +→ (.+)$/.exec(row);
    const [, room = '', allowed = ''] = match ?? [];
    if (match === null || law.has(room)) {
      throw new Error(`import law: write each room once, as "room → room, room": ${row}`);
    }
    law.set(room, new Set(allowed === 'nothing' ? [] : allowed.split(/, */)));
  }
  return law;
}

/** Each way in which these sources break the law, and the law itself. */
function violationsOf(law: Law, sources: Sources): readonly string[] {
  const roomOf = (file: string): string | undefined => roomIn(law, sources, file);
  const rooms = new Set(Object.keys(sources).map((file) => roomOf(file)));
  return [
    ...[...law.keys()]
      .filter((room) => !rooms.has(room))
      .map((room) => `the law names ${room}: no such room`),
    ...arrowsDown(law),
    ...Object.entries(sources).flatMap(([file, text]) => {
      const room = roomOf(file);
      if (room === undefined) return [`${file}: no row of the law names its room`];
      return importsOf(file, text).flatMap((specifier) => {
        const problem = problemOf(law, { file, room, specifier }, roomOf);
        return problem === undefined ? [] : [`${file}: ${problem}`];
      });
    }),
  ];
}

/** In a folder where other folders have rows of their own, each folder needs one. */
function roomIn(law: Law, sources: Sources, file: string): string | undefined {
  const path = withoutEnding(file);
  if (law.has(path)) return path;
  const parent = posix.dirname(path);
  let folder = parent;
  while (folder !== '.' && !law.has(folder)) folder = posix.dirname(folder);
  if (folder === '.') return undefined;
  const hasFolders = [...law.keys()].some(
    (room) => room.startsWith(`${folder}/`) && sources[`${room}.ts`] === undefined,
  );
  return folder === parent || !hasFolders ? folder : undefined;
}

function problemOf(
  law: Law,
  { file, room, specifier }: { readonly file: string; readonly room: string; readonly specifier: string },
  roomOf: (file: string) => string | undefined,
): string | undefined {
  if (specifier === COMPUTED) return 'imports a computed name';
  if (!/^[#.]/.test(specifier)) return undefined; // A package.
  const target = targetOf(file, specifier);
  if (target === undefined) return `imports ${specifier}, which is not in src`;
  if (specifier.startsWith('.') && leavesTop(file, target)) {
    return `imports ${specifier}: write #src/<room>/<file> across rooms`;
  }
  const other = roomOf(target) ?? 'unknown room';
  const isAllowed = other === room || law.get(room)?.has(other) === true;
  return isAllowed ? undefined : `imports ${specifier}, but the law has no ${room} → ${other}`;
}

/** Path below src. */
function targetOf(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(file), specifier);
  return specifier.startsWith('#src/') ? specifier.slice('#src/'.length) : undefined;
}

/** Files of src itself may name what is below them. */
function leavesTop(file: string, target: string): boolean {
  return topOf(file) !== '.' && topOf(target) !== topOf(file);
}

function topOf(file: string): string {
  return posix.dirname(file).split('/')[0] ?? '';
}

function withoutEnding(file: string): string {
  return file.replace(/\.ts$/, '');
}

/** What a file imports or exports from: values, types, `import('…')` of either. */
function importsOf(file: string, text: string): readonly string[] {
  const { program, errors } = parseSync(file, text, { lang: 'ts' });
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message ?? ''}`);
  const found: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (!isNode(node)) return;
    if (IMPORTS.has(node.type) && node.source) found.push(node.source.value ?? COMPUTED);
    Object.values(node).forEach(visit);
  };
  visit(program);
  return found;
}

const COMPUTED = '#computed';
const IMPORTS: ReadonlySet<string> = new Set([
  'ImportDeclaration',
  'ImportExpression',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'TSImportType',
]);

interface Node {
  readonly type: string;
  readonly source?: { readonly value?: string } | null;
}

function isNode(node: unknown): node is Node {
  return typeof node === 'object' && node !== null && 'type' in node && typeof node.type === 'string';
}

/** Where each line names only lines above it, there is no cycle. */
function arrowsDown(law: Law): readonly string[] {
  const above = new Set<string>();
  return [...law].flatMap(([room, allowed]) => {
    const down = [...allowed].filter((other) => !above.has(other));
    above.add(room);
    return down.map((other) => `the law says ${room} → ${other}, which has no line above it`);
  });
}

function sourcesOfKeyferry(): Sources {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  );
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(root, 'src', file), 'utf8')]));
}

describe('the import law of docs/architecture.md', () => {
  it('holds in src', () => {
    const law = lawIn(readFileSync(join(root, 'docs/architecture.md'), 'utf8'));
    expect(violationsOf(law, sourcesOfKeyferry())).toEqual([]);
  });
});

describe('an import law', () => {
  const rows = ['errors → nothing', 'core → errors', 'io → errors', 'io/wire → io', 'app → core, io'];
  const sources: Sources = {
    'errors.ts': '',
    'core/a.ts': "import type { E } from '#src/errors.ts'; import { b } from './deep/b.ts';",
    'core/deep/b.ts': "export * from '../a.ts'; import { parse } from 'yaml';",
    'io/a.ts': "import '#src/errors.ts';",
    'io/wire/a.ts': "import { a } from '../a.ts';",
    'app.ts': "import { a } from './core/a.ts'; const io = await import('#src/io/a.ts');",
  };
  const broken = (change: Sources, ...more: readonly string[]): readonly string[] =>
    violationsOf(lawIn(`\`\`\`import-law\n${[...rows, ...more].join('\n')}\n\`\`\``), {
      ...sources,
      ...change,
    });

  it('allows what its rows say', () => {
    expect(broken({})).toEqual([]);
  });

  it.each([
    ["import type { A } from '#src/core/a.ts';", '#src/core/a.ts'],
    ["import { type A } from '#src/core/a.ts';", '#src/core/a.ts'],
    ["export type { A } from '#src/core/a.ts';", '#src/core/a.ts'],
    ["export * from '#src/core/a.ts';", '#src/core/a.ts'],
    ["const a = await import('#src/core/a.ts');", '#src/core/a.ts'],
    ["function f(a: import('#src/core/a.ts').A): void {}", '#src/core/a.ts'],
    ["import '#src/io/wire/a.ts';", '#src/io/wire/a.ts'],
    ["import './wire/a.ts';", './wire/a.ts'],
  ])('refuses what they do not: %s', (text, specifier) => {
    const room = specifier.includes('wire') ? 'io/wire' : 'core';
    expect(broken({ 'io/a.ts': text })).toEqual([
      `io/a.ts: imports ${specifier}, but the law has no io → ${room}`,
    ]);
  });

  it('refuses a file that no row is for, and an import of one', () => {
    const change = { 'new/a.ts': '', 'io/other/a.ts': '', 'core/c.ts': "import '#src/new/a.ts';" };
    expect(broken(change)).toEqual([
      'new/a.ts: no row of the law names its room',
      'io/other/a.ts: no row of the law names its room',
      'core/c.ts: imports #src/new/a.ts, but the law has no core → unknown room',
    ]);
  });

  it('refuses a relative import across rooms, even where the law has the arrow', () => {
    expect(broken({ 'core/c.ts': "import '../errors.ts';" })).toEqual([
      'core/c.ts: imports ../errors.ts: write #src/<room>/<file> across rooms',
    ]);
  });

  it('refuses tests in sources, and an import that nobody can check', () => {
    expect(broken({ 'core/c.ts': "import '#test/a.ts';", 'core/d.ts': 'await import(name);' })).toEqual([
      'core/c.ts: imports #test/a.ts, which is not in src',
      'core/d.ts: imports a computed name',
    ]);
  });

  it('has rows for nothing but rooms, and no cycle', () => {
    const files = { 'b/a.ts': '', 'c/a.ts': '' };
    expect(broken({}, 'gone → errors')).toEqual(['the law names gone: no such room']);
    expect(broken(files, 'b → c', 'c → b')).toEqual(['the law says b → c, which has no line above it']);
    expect(broken(files, 'b → typo', 'c → b')).toEqual(['the law says b → typo, which has no line above it']);
    expect(() => broken({}, 'core → io')).toThrow('write each room once');
  });
});
