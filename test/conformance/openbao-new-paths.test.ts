import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import type { WriteHint } from '#src/backends/hints.ts';
import type { Document } from '#src/core/document.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { aDocument, codeOf } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';
import { requestsTo } from './request-log.ts';

/* How a document is written to a path that no listing showed, and what happens if it is there by then. */

const cluster = sharedCluster();
let fixture: OpenBaoFixture;
let mount: string;
let driver: Driver;
let counter = 0;
let address = '';
const { signal } = new AbortController();

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
  mount = await cluster.createMount('kv');
  driver = fixture.driver({ mount, auth: await fixture.tokenAuth(documentedPolicy(mount)) });
  await driver.probe(signal);
});
beforeEach(() => {
  counter += 1;
  address = `folder/doc-${counter}`;
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  await cluster.dispose();
});

const rawData = async () => {
  const reply = await cluster.bao<{ data: { data: unknown; metadata: { custom_metadata: unknown } } }>(
    'GET',
    `${mount}/data/${address}`,
  );
  return { data: reply.data.data, customMetadata: reply.data.metadata.custom_metadata };
};

describe('a write to a path that no listing showed', () => {
  it('a new document with marks: after one question less where the server compares metadata_cas', async () => {
    const create = (document: Document): Promise<unknown> =>
      driver.write(document, 'absent', permitted(signal), 'unlisted');
    const requests = await requestsTo(cluster.baoUrl, () =>
      create(aDocument(address, { blob: Buffer.from([255]) }, { type: 'x/y' })),
    );
    const sent = requests.map(({ method, path }) => `${method} ${path.split('/')[3]}`);
    expect(sent).toEqual(
      cluster.isOpenBao
        ? ['POST metadata', 'POST data', 'PATCH metadata']
        : ['GET metadata', 'POST metadata', 'PATCH metadata', 'POST data', 'PATCH metadata'],
    );
    const taken = await requestsTo(cluster.baoUrl, async () => {
      expect(await codeOf(create(aDocument(address, { blob: Buffer.from([254]) })))).toBe('ALREADY_EXISTS');
    });
    const seen = taken.map(({ method, path }) => `${method} ${path.split('/')[3]}`);
    expect(seen).toEqual([...(cluster.isOpenBao ? ['POST metadata'] : []), 'GET metadata']);
  });

  it.each<[string, object | undefined, WriteHint | undefined]>([
    ['made by data alone since it was listed', undefined, 'unlisted'],
    ['gave metadata since it was listed', { owner: 'them' }, 'unlisted'],
    ['made by data alone', undefined, undefined],
  ])('nothing on a path that another client %s', async (_what, metadata, hint) => {
    await cluster.bao('POST', `${mount}/data/${address}`, { data: { a: 'theirs' } });
    if (metadata !== undefined)
      await cluster.bao('POST', `${mount}/metadata/${address}`, { custom_metadata: metadata });
    const typed = aDocument(address, { a: Buffer.from([255]) }, { type: 'x/y' });
    expect(await codeOf(driver.write(typed, 'absent', permitted(signal), hint))).toBe('ALREADY_EXISTS');
    expect(await rawData()).toEqual({ data: { a: 'theirs' }, customMetadata: metadata ?? null });
  });
});
