import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver } from '#src/backends/driver.ts';
import type { Document, StoredDocument } from '#src/core/document.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { aDocument, presentIn } from '#test/support/documents.ts';
import { permitted } from '#test/support/permit.ts';
import { OpenBaoFixture } from './openbao-fixture.ts';

/*
 * The mark of a version that Keyferry wrote and may remove. custom_metadata belongs to the path, so the mark names versions.
 */

const cluster = sharedCluster();
afterAll(() => cluster.dispose());

const { signal } = new AbortController();
let fixture: OpenBaoFixture;
let mount: string;
let driver: Driver;

beforeAll(async () => {
  fixture = await OpenBaoFixture.open(cluster);
  mount = await cluster.createMount('written');
  driver = fixture.driver({ mount, auth: await fixture.tokenAuth(documentedPolicy(mount)) });
  await driver.probe(signal);
});
afterAll(() => fixture[Symbol.asyncDispose]());

const prunable = (address: string, value: string): Document => ({
  ...aDocument(address, { a: value }),
  prunable: true,
});

const readAt = async (address: string, revision?: string): Promise<StoredDocument> =>
  presentIn(await driver.read(address, signal, revision));

const putAs = async (address: string, value: string): Promise<unknown> =>
  cluster.bao('POST', `${mount}/data/${address}`, { data: { a: value } });

async function customMetadataAt(address: string): Promise<unknown> {
  const reply = await cluster.bao<{ data: { custom_metadata: unknown } }>(
    'GET',
    `${mount}/metadata/${address}`,
  );
  return reply.data.custom_metadata;
}

describe('the mark of a version that may be removed', () => {
  it('is that of the versions that Keyferry wrote so, and of no other one', async () => {
    const first = await driver.write(prunable('a', '1'), 'absent', permitted(signal));
    const second = await driver.write(prunable('a', '2'), first, permitted(signal));
    await putAs('a', 'theirs');
    expect((await readAt('a')).isMarked).toBeUndefined();
    expect((await readAt('a', '1')).isMarked).toBe(true);
    expect((await readAt('a', '2')).isMarked).toBe(true);
    expect(second.revision).toBe('2');
    const third = await readAt('a');
    await driver.write(aDocument('a', { a: '4' }), third.version, permitted(signal));
    expect((await readAt('a')).isMarked).toBeUndefined();
    expect(await customMetadataAt('a')).toEqual({ 'keyferry-written': 'true@1-2' });
  });

  it('stands beside the custom metadata of others, and leaves nothing pending', async () => {
    await cluster.bao('POST', `${mount}/metadata/b`, { custom_metadata: { team: 'shop' } });
    await putAs('b', 'theirs');
    await driver.write(prunable('b', '1'), (await readAt('b')).version, permitted(signal));
    const document = await readAt('b');
    expect(document).toMatchObject({ isMarked: true, attributes: { metadata: new Map([['team', 'shop']]) } });
    expect([document.unfinished, document.prepared]).toEqual([undefined, undefined]);
    expect(await customMetadataAt('b')).toEqual({ team: 'shop', 'keyferry-written': 'true@2' });
  });

  it('goes with the rest of a write that lost against another client', async () => {
    await driver.write(prunable('c', '1'), 'absent', permitted(signal));
    await cluster.bao('POST', `${mount}/metadata/c`, {
      custom_metadata: { 'keyferry-written': 'true@1-2', 'keyferry-pending': 'version 2 by 1a2b3c4d' },
    });
    await putAs('c', 'theirs');
    const found = await readAt('c');
    expect(found.unfinished).toBe(true);
    await driver.undo?.('c', found.version, permitted(signal));
    expect((await readAt('c')).isMarked).toBeUndefined();
    expect(await customMetadataAt('c')).toEqual({ 'keyferry-written': 'true@1' });
  });

  it('stays with the version while it is deleted, and is there again when it is undeleted', async () => {
    const version = await driver.write(prunable('d', '1'), 'absent', permitted(signal));
    await driver.delete('d', version, permitted(signal));
    const deleted = await driver.read('d', signal);
    expect(deleted).toEqual({ state: 'deleted', version });
    await cluster.bao('POST', `${mount}/undelete/d`, { versions: [1] });
    expect(await readAt('d')).toMatchObject({ version, isMarked: true });
  });
});
