import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Listed } from '../listing.ts';
import { isProblem } from '../listing-problem.ts';
import { listTree } from './listing.ts';
import { apiPathOf, pathRefusalOf } from './path.ts';

/*
 * The names that a server lists are its own choice. Each becomes a document, a folder or a problem of that name; what
 * becomes a document is requested at exactly that path, and what is shown cannot steer a terminal.
 */

const nasty = fc.constantFrom(
  '',
  '.',
  '..',
  '../..',
  '/',
  'a/b',
  '//',
  './',
  '../',
  '%2e%2e',
  'a%2fb',
  'a\\b',
  '..\\..',
  'a?b',
  'a#b',
  ' a',
  'a ',
  'a\tb',
  'a\r\nX-Vault-Token: b',
  '\u0000',
  '\u001B[2J',
  '\u009B31m',
  '\u202Eabc',
  '\uD800',
  '__proto__',
  'constructor/',
  'x'.repeat(5000),
);
const name = fc.oneof(
  nasty,
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => `${text}/`),
);

/** All that a server with these names in every folder makes of a listing; its folders end where the limit of depth is. */
async function listed(names: readonly string[]): Promise<readonly Listed[]> {
  const found: Listed[] = [];
  let pages = 0;
  const kv = {
    hasPages: true,
    listPage: async (): Promise<readonly string[]> => {
      pages += 1;
      return pages > 20 ? [] : names;
    },
  };
  const listing = listTree(
    { kv, refusalOf: pathRefusalOf, width: 1 },
    { folder: '' },
    new AbortController().signal,
  );
  for await (const entry of listing) found.push(entry);
  return found;
}

describe('a name that a hostile server lists', () => {
  it('is requested at exactly its own path, below the mount, or not at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(name, { maxLength: 8 }), async (names) => {
        for (const entry of await listed(names)) {
          if (isProblem(entry)) continue;
          const path = apiPathOf(`kv/data/${entry.address}`, 'test');
          const { pathname, search, hash } = new URL(path, 'https://server:8200');
          expect([search, hash]).toEqual(['', '']);
          const segments = pathname.split('/').slice(1).map(decodeURIComponent);
          expect(segments).toEqual(['v1', 'kv', 'data', ...entry.address.split('/')]);
        }
      }),
    );
  });

  it('is shown without a character that a terminal or a log acts on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(name, { maxLength: 8 }), async (names) => {
        for (const { address } of (await listed(names)).filter(isProblem)) {
          expect(address).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        }
      }),
    );
  });

  it('is accounted for: each one of a flat folder is a document or a problem', async () => {
    const flat = name.filter((text) => !text.endsWith('/'));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(flat, { maxLength: 8 }), async (names) => {
        // A server without paging replies the same to every page, which ends the listing.
        const found = await listed(names);
        expect(found.length).toBeGreaterThanOrEqual(names.length);
      }),
    );
  });
});
