import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collect } from '#test/support/collect.ts';
import { isProblem } from '../listing-problem.ts';
import { listTree } from './listing.ts';
import { pathRefusalOf } from './path.ts';

/*
 * What a listing requests of a folder. The answers are those of OpenBao (pages of at most `limit` names, an administrator can
 * cap them) and of Vault (all names, whatever is asked); test/conformance lists on the servers themselves.
 */

const { signal } = new AbortController();

interface Request {
  readonly folder: string;
  readonly after: string;
  readonly limit: number | undefined;
}

/** A server with these documents. `cap`: most names of a page; undefined: it sends all names, whatever is asked. */
class Names {
  readonly hasPages = true;
  readonly requests: Request[] = [];
  most = 0;
  #running = 0;
  readonly #addresses: readonly string[];
  readonly #cap: number | undefined;

  constructor(addresses: readonly string[], cap?: number) {
    this.#addresses = addresses;
    this.#cap = cap;
  }

  async listPage(folder: string, page: Omit<Request, 'folder'>): Promise<readonly string[]> {
    this.requests.push({ folder, ...page });
    this.#running += 1;
    this.most = Math.max(this.most, this.#running);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    this.#running -= 1;
    const all = this.#namesIn(folder);
    if (this.#cap === undefined) return all;
    return all.filter((name) => name > page.after).slice(0, Math.min(page.limit ?? this.#cap, this.#cap));
  }

  #namesIn(folder: string): readonly string[] {
    const start = folder === '' ? '' : `${folder}/`;
    const names = this.#addresses
      .filter((address) => address.startsWith(start))
      .map((address) => address.slice(start.length).replace(/\/.*/, '/'));
    return [...new Set(names)].toSorted((left, right) => (left < right ? -1 : 1));
  }
}

async function listed(kv: Names, width = 4): Promise<readonly string[]> {
  const found = await collect(listTree({ kv, refusalOf: pathRefusalOf, width }, { folder: '' }, signal));
  return found.flatMap((each) => (isProblem(each) ? [] : [each.address])).toSorted();
}

const many = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `n${1_000_000 + index}`);

describe('a listing', () => {
  it('requests folders side by side, as many as the width', async () => {
    const folders = Array.from({ length: 30 }, (_, index) => `f${index}/a`);
    const kv = new Names(folders, 100);
    expect(await listed(kv, 4)).toEqual(folders.toSorted());
    expect(kv.most).toBe(4);
  });

  it('requests pages that grow, because each costs the server the whole folder', async () => {
    const kv = new Names(many(60_000), Number.POSITIVE_INFINITY);
    expect(await listed(kv)).toHaveLength(60_000);
    expect(kv.requests.map(({ limit }) => limit)).toEqual([10_000, 20_000, 40_000, 40_000]);
  });

  it('finds every document, whatever the tree, the cap of a page and the width', async () => {
    const segment = fc.constantFrom('a', 'b', 'c', 'd');
    const address = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));
    const caps = fc.constantFrom(undefined, 1, 2, 3, 100);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(address),
        caps,
        fc.integer({ min: 1, max: 5 }),
        async (tree, cap, width) => {
          expect(await listed(new Names(tree, cap), width)).toEqual(tree.toSorted());
        },
      ),
    );
  });
});
