import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const guides = globSync(['CONTRIBUTING.md', 'docs/contributing/*.md', 'docs/adr/*.md'], { cwd: root }).map(
  (file) => ({ file, text: readFileSync(join(root, file), 'utf8') }),
);

/** What `pattern` captures in each guide, as `guide: capture`, where it does not `hold`. */
function broken(pattern: RegExp, holds: (capture: string, guide: string) => boolean): readonly string[] {
  const found = guides.flatMap(({ file, text }) =>
    [...text.matchAll(pattern)].map(([, capture = '']) => ({ file, capture })),
  );
  expect(found.length).toBeGreaterThan(3);
  return found
    .filter(({ file, capture }) => !holds(capture, file))
    .map(({ file, capture }) => `${file}: ${capture}`);
}

describe('the guides for contributors', () => {
  it('name only files that exist', () => {
    const exists = (path: string): boolean => existsSync(join(root, path));
    expect(broken(/`((?:src|test|docs|config)\/[^`*<]+)`/g, exists)).toEqual([]);
  });

  it('link only to files that exist', () => {
    const exists = (path: string, guide: string): boolean => existsSync(join(root, dirname(guide), path));
    expect(broken(/\]\(([^)#:]+)\)/g, exists)).toEqual([]);
  });

  it('name only targets of the Makefile', () => {
    const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
    expect(broken(/\bmake ([a-z-]+)/g, (target) => makefile.includes(`\n${target}:`))).toEqual([]);
  });

  it('are all linked from CONTRIBUTING', () => {
    const contributing = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
    const files = globSync('docs/contributing/*.md', { cwd: root });
    expect(files.length).toBeGreaterThan(3);
    expect(files.filter((file) => !contributing.includes(`(${file})`))).toEqual([]);
  });
});
