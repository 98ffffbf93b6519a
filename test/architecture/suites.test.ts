import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** What every suite may import. Everything else below test/ is a suite, and its files are its own. */
const SHARED = ['test/builders/', 'test/cluster/', 'test/support/'];
/** What the unit tests of a driver run besides. */
const DRIVER_SUITE = ['test/conformance/driver-suite.ts', 'test/conformance/suite/'];

/** The folder that a file belongs to as a whole: `test/e2e`, `test/integration/operator`, `src/core`. */
function ownerOf(file: string): string {
  const folders = file.split('/').slice(0, -1);
  const depth = folders[1] === 'integration' ? 3 : 2;
  return folders.slice(0, depth).join('/');
}

/** Files of ours that a file imports, as paths from the root; types and dynamic imports included. A sample in a text names none. */
function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport\(|^import)\s*'([#.][^']+)'/gm)].map(
    ([, specifier = '']) => specifier,
  );
  return specifiers
    .map((specifier) => (specifier.startsWith('#') ? specifier.slice(1) : join(file, '..', specifier)))
    .filter((imported) => existsSync(join(root, imported)));
}

describe('test/', () => {
  const files = globSync(['test/**/*.ts', 'src/**/*.test.ts'], { cwd: root });
  const imports = files.flatMap((file) => importsOf(file).map((imported) => ({ file, imported })));
  const ofTests = imports.filter(({ imported }) => imported.startsWith('test/'));

  it('has no suite that imports from another suite', () => {
    expect(ofTests.length).toBeGreaterThan(100);
    const foreign = ofTests.filter(({ file, imported }) => {
      const shared = file.startsWith('src/backends/') ? [...SHARED, ...DRIVER_SUITE] : SHARED;
      return ownerOf(file) !== ownerOf(imported) && !shared.some((path) => imported.startsWith(path));
    });
    expect(foreign.map(({ file, imported }) => `${file} imports ${imported}`)).toEqual([]);
  });
});
