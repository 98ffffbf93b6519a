import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type DefaultTheme } from 'vitepress';
import { readPages } from './pages.ts';

const docs = join(import.meta.dirname, '..');
/** Files outside of docs/ are read where the source is. */
const SOURCE = 'https://github.com/keyferry/keyferry/blob/main/';
/** The version that this build is about, and the others that are published beside it: written by the workflow of a release. */
const VERSION = process.env['SITE_VERSION'] ?? 'main';
const OTHERS = (process.env['SITE_VERSIONS'] ?? '').split(',').filter((each) => each !== '' && each !== VERSION);
/** Under the address of src/errors/documentation.ts; an older version below its own name. */
const BASE = process.env['SITE_BASE'] ?? '/docs/';

const versions: DefaultTheme.NavItemWithLink[] = OTHERS.map((version) => ({
  text: version,
  link: `https://keyferry.io/docs/${version === 'main' ? '' : `${version}/`}`,
  target: '_self',
}));

export default defineConfig({
  title: 'Keyferry',
  description: 'Moves secret values between Kubernetes, OpenBao and directories, verified byte for byte',
  lang: 'en-US',
  base: BASE,
  outDir: '../html',
  cleanUrls: true,
  // The pages are written for a reader of the repository, where a folder shows its README.
  rewrites: { 'README.md': 'index.md', ':folder/README.md': ':folder/index.md' },
  markdown: {
    languageAlias: { console: 'shellsession' }, defaultHighlightLang: 'txt',
    config: (md) => {
      // Names in angle brackets and braces are text, not tags and expressions of Vue; comments are for the tests.
      const literal = (content: string): string =>
        content.startsWith('<!--') ? '' : md.utils.escapeHtml(content).replaceAll('{{', '&#123;&#123;');
      md.renderer.rules.html_inline = (tokens, index) => literal(tokens[index]?.content ?? '');
      md.renderer.rules.html_block = (tokens, index) => literal(tokens[index]?.content ?? '');
      md.renderer.rules.text = (tokens, index) =>
        md.utils.escapeHtml(tokens[index]?.content ?? '').replaceAll('{{', '&#123;&#123;');
      const validate = md.normalizeLink;
      md.normalizeLink = (href) => validate(sourceOf(href) ?? href.replace(/(^|\/)README\.md(?=#|$)/, '$1index.md'));
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    sidebar: readPages(readFileSync(join(docs, 'README.md'), 'utf8')),
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Reference', link: '/spec/v1alpha1/secretmigration' },
      { text: VERSION, items: versions },
    ],
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: 'https://github.com/keyferry/keyferry' }],
  },
});

/** Where a link out of docs/ leads; undefined for one that stays. No page is deeper than one folder. */
function sourceOf(href: string): string | undefined {
  const [, path] = /^(?:\.\.\/)+((?:charts|config|crds|src|test|[A-Z]+\.md|LICENSE|Makefile).*)$/.exec(href) ?? [];
  return path === undefined ? undefined : SOURCE + path;
}
