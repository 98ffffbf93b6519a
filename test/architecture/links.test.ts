import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/* Every link of a Markdown file leads to a file and a heading that exist, and the index of the documentation has every page. */

const ROOT = join(import.meta.dirname, '../..');
const files = globSync(['*.md', 'docs/**/*.md', 'charts/**/*.md'], { cwd: ROOT }).sort();
/** Its lists are in pages of their own. */
const NOT_IN_INDEX = /^docs\/(?:adr\/\d|contributing\/|README\.md)/;

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** The text without blocks and comments. */
function prose(file: string): string {
  return read(file).replaceAll(/^ *```[\s\S]*?^ *```$/gm, '');
}

/** The anchors of a page as GitHub makes them: a heading that comes again gets a number. */
function anchorsOf(file: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of prose(file).matchAll(/^#+ +(.+)$/gm)) {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = text
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-');
    let [unique, count] = [anchor, 0];
    while (anchors.has(unique)) unique = `${anchor}-${(count += 1)}`;
    anchors.add(unique);
  }
  for (const [, name = ''] of read(file).matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(name);
  return anchors;
}

/** Relative links of a file, as a path from the root and an anchor. */
function linksOf(
  file: string,
): readonly { readonly link: string; readonly path: string; readonly anchor: string }[] {
  return [...prose(file).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [target = '', anchor = ''] = link.split('#');
      return { link, path: target === '' ? file : relative(ROOT, join(ROOT, dirname(file), target)), anchor };
    });
}

function isBroken({ path, anchor }: { readonly path: string; readonly anchor: string }): boolean {
  if (!existsSync(join(ROOT, path))) return true;
  return anchor !== '' && path.endsWith('.md') && !anchorsOf(path).has(anchor);
}

describe('the links', () => {
  it.each(files)('of %s lead to files and headings that exist', (file) => {
    expect(
      linksOf(file)
        .filter(isBroken)
        .map(({ link }) => link),
    ).toEqual([]);
  });

  it('of the index have every page', () => {
    const listed = new Set(linksOf('docs/README.md').map(({ path }) => path));
    const pages = files.filter((file) => file.startsWith('docs/') && !NOT_IN_INDEX.test(file));
    expect(pages.length).toBeGreaterThan(30);
    expect(pages.filter((file) => !listed.has(file))).toEqual([]);
  });
});
