import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPages } from '../../docs/site/.vitepress/pages.ts';

const docs = join(import.meta.dirname, '../../docs');
const sidebar = readPages(readFileSync(join(docs, 'README.md'), 'utf8'));
const links = sidebar.flatMap(({ items = [] }) => items.map(({ link = '' }) => link));

describe('the sidebar of the site', () => {
  it('has the sections of docs/README.md, each with pages', () => {
    expect(sidebar.map(({ text }) => text)).toContain('Operate');
    expect(sidebar.filter(({ items = [] }) => items.length === 0)).toEqual([]);
  });

  it('leads to every page that is not part of a list of its own', () => {
    const pages = globSync(['*.md', 'security/*.md', 'runbooks/*.md'], { cwd: docs })
      .filter((page) => !page.endsWith('README.md'))
      .map((page) => `/${page.replace(/\.md$/, '')}`);
    expect(pages.length).toBeGreaterThan(50);
    expect(pages.filter((page) => !links.includes(page))).toEqual([]);
  });

  it('refuses a list without sections', () => {
    expect(() => readPages('# Documentation\n')).toThrow('has no section');
  });
});
