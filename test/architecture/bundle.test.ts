import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBundledPackages } from '#src/image/bundled-packages.ts';

const root = join(import.meta.dirname, '../..');
const temporary = mkdtempSync(join(tmpdir(), 'keyferry-bundle-'));
const besides = join(temporary, 'dist');
const elsewhere = join(temporary, 'at', 'another-depth');
const SOURCES = [
  'Makefile',
  'package.json',
  'package-lock.json',
  'rolldown.config.ts',
  'tsconfig.json',
  'src',
];
const PATH = [join(root, 'node_modules/.bin'), dirname(process.execPath), process.env['PATH'] ?? ''].join(
  ':',
);

interface LockedPackage {
  readonly dev?: boolean;
  readonly optional?: boolean;
}

/** Folders of what `npm ci` installs for production, without Node. */
function productionFolders(): readonly string[] {
  const lock: { packages: Record<string, LockedPackage> } = JSON.parse(
    readFileSync(join(root, 'package-lock.json'), 'utf8'),
  );
  return Object.entries(lock.packages)
    .filter(([folder, { dev, optional }]) => folder !== '' && dev !== true && optional !== true)
    .map(([folder]) => folder);
}

/** The sources at another place, with all that the build needs. */
function checkOut(folder: string): void {
  for (const name of SOURCES) cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const name of productionFolders()) linkTree(join(root, name), join(folder, name));
  symlinkSync(join(root, 'node_modules/rolldown'), join(folder, 'node_modules/rolldown'));
  // Newer than the lockfile: make installs nothing.
  writeFileSync(join(folder, 'node_modules/.package-lock.json'), '');
}

/** Links its files, and copies them where /tmp is another file system. */
function linkTree(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(to, relative(from, source));
    mkdirSync(dirname(target), { recursive: true });
    try {
      linkSync(source, target);
    } catch {
      copyFileSync(source, target);
    }
  }
}

async function run(folder: string, command: string, ...args: readonly string[]): Promise<void> {
  const { HOME = '' } = process.env;
  await promisify(execFile)(command, args, { cwd: folder, env: { PATH, HOME } });
}

/** Name of each file of the bundle → its digest. */
function digestsOf(folder: string): Readonly<Record<string, string>> {
  const digest = (name: string): string =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
  return Object.fromEntries(readdirSync(folder).map((name) => [name, digest(name)]));
}

interface Chunk {
  readonly name: string;
  readonly text: string;
}

function chunks(): readonly Chunk[] {
  const names = readdirSync(besides).filter((name) => name.endsWith('.js'));
  return names.map((name) => ({ name, text: readFileSync(join(besides, name), 'utf8') }));
}

beforeAll(async () => {
  checkOut(elsewhere);
  await Promise.all([
    run(root, 'rolldown', '--config', 'rolldown.config.ts', '--dir', besides),
    run(elsewhere, 'make', 'build'),
  ]);
}, 120_000);

afterAll(() => {
  rmSync(temporary, { recursive: true, force: true });
});

describe('the bundle', () => {
  it('is the same, byte for byte, whichever folder it is built in', () => {
    const digests = digestsOf(join(elsewhere, 'dist'));
    expect(Object.keys(digests)).toContain('keyferry.js');
    expect(digestsOf(besides)).toEqual(digests);
  });

  it('names every package in it, each with version, license and integrity', () => {
    const packages = readBundledPackages(elsewhere);
    expect(packages.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['undici', 'zod', '@kubernetes/client-node']),
    );
    for (const { name, integrity, license, texts } of packages) {
      expect(integrity, name).toMatch(/^sha512-/);
      expect([license, ...texts].join(' ').trim(), name).not.toBe('');
    }
  });

  it('names no tool of the build', () => {
    const names = readBundledPackages(elsewhere).map(({ name }) => name);
    expect(names.filter((name) => /rolldown|vite|typescript|node-linux/.test(name))).toEqual([]);
  });

  it('is ASCII, so that V8 keeps its text in one byte a character', () => {
    expect(
      chunks()
        .filter(({ text }) => /[^\n\t -~]/.test(text))
        .map(({ name }) => name),
    ).toEqual([]);
  });

  it('starts without what it does not use of Node: only the entry imports modules of Node', () => {
    const importing = chunks().filter(({ text }) => /^(import|export)\b.*["']node:/m.test(text));
    expect(importing.map(({ name }) => name)).toEqual(['keyferry.js']);
  });
});
