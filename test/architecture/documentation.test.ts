import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documentation } from '#src/errors/documentation.ts';

/* A hint leads to a page that exists: a user has no copy of the repository, and nobody looks for a page that is not there. */

const ROOT = join(import.meta.dirname, '../..');
const sources = globSync('src/**/*.ts', { cwd: ROOT })
  .filter((file) => !file.endsWith('.test.ts'))
  .map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }));

/** The anchor of a heading, as GitHub and most site generators make it. */
function anchorsOf(page: string): readonly string[] {
  return [...readFileSync(join(ROOT, 'docs', page), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}

const links = sources.flatMap(({ text }) =>
  [...text.matchAll(/\bdocumentation\(\s*'([^']*)'/g)].map(([, page = '']) => page),
);

describe('the documentation that messages name', () => {
  it('is named by some of them', () => expect(links.length).toBeGreaterThan(5));

  it.each([...new Set(links)])('has %s', (link) => {
    const [page = '', anchor] = link.split('#');
    expect(existsSync(join(ROOT, 'docs', page))).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(page)).toContain(anchor);
  });

  it('is named by its address, not by a path of the repository', () => {
    const isText = (line: string): boolean => !/^\s*(\/?\*|\/\/)/.test(line);
    const paths = sources
      .filter(({ file }) => !file.startsWith('src/generate/') && file !== 'src/errors/documentation.ts')
      .filter(({ text }) => text.split('\n').some((line) => isText(line) && /\bdocs\//.test(line)))
      .map(({ file }) => file);
    expect(paths).toEqual([]);
  });

  it('has one address', () => {
    expect(documentation('security/rbac.md')).toBe('https://keyferry.io/docs/security/rbac');
    expect(sources.filter(({ text }) => text.includes('keyferry.io/docs')).map(({ file }) => file)).toEqual([
      'src/errors/documentation.ts',
    ]);
  });
});
