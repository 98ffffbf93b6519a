import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const map = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
const named = [...map.matchAll(/`((?:src|test)\/[^`]+\.ts)`/g)].map((match) => match[1] ?? '');

describe('docs/architecture.md', () => {
  it('names only files that exist', () => {
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it('has a line for every room of src', () => {
    const rooms = readdirSync(join(root, 'src')).filter((name) =>
      statSync(join(root, 'src', name)).isDirectory(),
    );
    expect(rooms.filter((room) => !named.some((file) => file.startsWith(`src/${room}/`)))).toEqual([]);
  });

  it('names a file of every room of the import law', () => {
    const law = /^```import-law\n(.*?)^```/ms.exec(map)?.[1] ?? '';
    const rooms = [...law.matchAll(/^(\S+) +→/gm)].map(([, room = '']) => room);
    expect(rooms.length).toBeGreaterThan(20);
    const isNamed = (room: string): boolean =>
      named.some((file) => file === `src/${room}.ts` || file.startsWith(`src/${room}/`));
    expect(rooms.filter((room) => !isNamed(room))).toEqual([]);
  });

  it('maps every target that the README and CONTRIBUTING name to a target of the Makefile', () => {
    const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
    const texts = ['README.md', 'CONTRIBUTING.md']
      .map((file) => readFileSync(join(root, file), 'utf8'))
      .join('\n');
    const targets = [...texts.matchAll(/\bmake ([a-z-]+)/g)].map((match) => match[1] ?? '');
    expect(targets.length).toBeGreaterThan(3);
    expect(targets.filter((target) => !makefile.includes(`\n${target}:`))).toEqual([]);
  });
});
