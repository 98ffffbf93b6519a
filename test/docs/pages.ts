import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePage, type Page } from './blocks/page.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** Pages for people who change Keyferry and records of decisions are not executed. */
const NOT_FOR_USERS = /^docs\/(?:adr|contributing|spec)\/|^docs\/architecture\.md$/;

/** Files that the reader can find, from the root of the repository. */
export const PAGE_FILES: readonly string[] = [
  'README.md',
  'charts/keyferry/introduction.md', // The first part of README.md there.
  ...globSync('docs/**/*.md', { cwd: ROOT }).filter((file) => !NOT_FOR_USERS.test(file)),
].sort();

/** Reads a page; throws when one of its blocks is not what the format says. */
export function readPage(file: string): Page {
  return parsePage(file, readFileSync(join(ROOT, file), 'utf8'));
}
