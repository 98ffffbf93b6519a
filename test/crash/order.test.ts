import type { V1Secret } from '@kubernetes/client-node';
import type { StoredIdentity, StoredList } from '#src/kube/wire.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import type { OperatorProcess } from '#test/support/operator-process.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import type { Tenant } from '#test/support/tenant.ts';
import {
  FIELD,
  plant,
  readStored,
  remainingSources,
  someDocuments,
  storedNames,
  type Documents,
} from './documents.ts';
import { Rig } from './rig.ts';

let rig: Rig;
let operator: OperatorProcess;
let tenant: Tenant;

beforeAll(async () => {
  rig = await Rig.open();
  operator = await rig.operator();
});

beforeEach(async () => {
  tenant = await rig.tenant();
});

const rules: { remove(): void }[] = [];
afterEach(() => {
  for (const rule of rules.splice(0)) rule.remove();
});

afterAll(async () => {
  await operator.stop();
  await rig[Symbol.asyncDispose]();
});

function dataPath(name: string): string {
  return `/v1/${tenant.mount}/data/${tenant.namespace}/${name}`;
}

function secretPath(name: string): string {
  return `/api/v1/namespaces/${tenant.namespace}/secrets/${name}`;
}

/** The requests of one kind for one document, in order of arrival. */
function requests(method: string, path: string, query?: RegExp): readonly RecordedRequest[] {
  return rig.history.requests.filter(
    (each) => each.method === method && each.path === path && (query?.test(each.query) ?? true),
  );
}

/** The only request of its kind. */
function theOne(method: string, path: string, query?: RegExp): RecordedRequest {
  const [only, ...others] = requests(method, path, query);
  if (only === undefined || others.length > 0) throw new Error(`${1 + others.length}? ${method} ${path}`);
  return only;
}

function bodyOf(request: RecordedRequest): unknown {
  return JSON.parse(request.body?.toString('utf8') ?? 'null');
}

function expectEndedBefore(first: RecordedRequest, second: RecordedRequest): void {
  expect(first.endSeq, `${first.method} ${first.path} has ended`).toBeDefined();
  expect(first.endSeq, `${first.method} ${first.path} before ${second.method}`).toBeLessThan(second.seq);
}

function expectInOrder(sequence: readonly RecordedRequest[]): void {
  for (const [index, next] of sequence.entries()) {
    const previous = sequence[index - 1];
    if (previous !== undefined) expectEndedBefore(previous, next);
  }
}

type Precondition = Pick<StoredIdentity, 'uid' | 'resourceVersion'>;

async function preconditionsOf(documents: Documents): Promise<ReadonlyMap<string, Precondition>> {
  const list = await rig.cluster.kube<StoredList<V1Secret>>(
    'GET',
    `/api/v1/namespaces/${tenant.namespace}/secrets`,
  );
  const wanted = list.items.filter(({ metadata }) => documents.has(metadata.name));
  return new Map(
    wanted.map(({ metadata: { name, uid, resourceVersion } }) => [name, { uid, resourceVersion }]),
  );
}

/** The row of a document with one field. */
async function rowOf(migration: string, name: string) {
  return (await tenant.rows(migration)).find((row) => row.name === name);
}

async function expectMoved(documents: Documents): Promise<void> {
  expect(await remainingSources(tenant, documents)).toEqual([]);
  expect(await storedNames(tenant)).toEqual([...documents.keys()]);
  for (const [name, value] of documents) {
    expect(await readStored(tenant, name), name).toEqual({ value, versions: 1 });
  }
}

/** Replaces the value in the reply to a read of a document. */
function otherValue(body: unknown): unknown {
  const text = JSON.stringify(body);
  return JSON.parse(text.replace(/("data":\{"value":")[^"]*"/, '$1b3RoZXI="'));
}

describe('the order of a run that deletes', () => {
  it('is write, read-back of that version, claim, both once more, delete, look: for each document, once', async () => {
    const documents = someDocuments(24);
    await plant(tenant, documents);
    const preconditions = await preconditionsOf(documents);
    await tenant.apply(aMigration('move', { sourcePolicy: 'Delete' }));
    const done = await tenant.untilReady('move');

    expect(done.status.progress).toBe('24/24');
    for (const name of documents.keys()) {
      const write = theOne('POST', dataPath(name));
      expect(bodyOf(write)).toMatchObject({ options: { cas: 0 } });
      const readBack = theOne('GET', dataPath(name), /^version=1$/);
      const removal = theOne('DELETE', secretPath(name));
      const destinationAgain = theOne('GET', dataPath(name), /^$/);
      const claim = theOne('PATCH', secretPath(name));
      const [sourceAgain, look, ...others] = requests('GET', secretPath(name));
      if (sourceAgain === undefined || look === undefined) throw new Error(`${name} is not read twice`);
      expect(others).toEqual([]);
      expectInOrder([write, readBack, claim, sourceAgain, destinationAgain, removal, look]);
      const { uid, resourceVersion } = preconditions.get(name) ?? {};
      expect(bodyOf(claim)).toMatchObject({ metadata: { resourceVersion } });
      expect(bodyOf(removal)).toMatchObject({ preconditions: { uid } });
      // The claim has changed it: a removal that was prepared before fails.
      expect(bodyOf(removal)).not.toMatchObject({ preconditions: { resourceVersion } });
    }
    await expectMoved(documents);
  });

  it('has the proof on record before the first source goes', async () => {
    const documents = someDocuments(12);
    await plant(tenant, documents);
    const isRemoval = { method: 'DELETE', path: new RegExp(`/${tenant.namespace}/secrets/`) };
    const release = Promise.withResolvers<void>();
    const rule = rig.kube.onRequest(isRemoval, { kind: 'hold', until: release.promise });
    rules.push(rule);
    await tenant.apply(aMigration('recorded', { sourcePolicy: 'Delete' }));
    await rule.firstHit;
    const states = (await tenant.rows('recorded')).map((row) => row.state);
    release.resolve();

    expect(states).toEqual(Array.from({ length: 12 }, () => 'Verified'));
    await tenant.untilReady('recorded');
    await expectMoved(documents);
  });
});

describe('a read-back that differs', () => {
  it('keeps every source and says so', async () => {
    const documents = someDocuments(12);
    await plant(tenant, documents);
    const reads = { method: 'GET', path: new RegExp(`/data/${tenant.namespace}/`) };
    const rule = rig.bao.onRequest(reads, { kind: 'mutate', change: otherValue });
    rules.push(rule);
    await tenant.apply(aMigration('mismatch', { sourcePolicy: 'Delete' }));
    const ready = await tenant.untilReady('mismatch', { status: 'False', reason: 'IntegrityViolated' });

    expect(ready.status.summary).toMatchObject({ total: 12, copied: 12, verified: 0, removed: 0 });
    for (const row of await tenant.rows('mismatch')) {
      expect(row).toMatchObject({ state: 'Copied', reason: 'VerifyMismatch' });
    }
    expect(rule.hits).toBe(12);
    expect(await remainingSources(tenant, documents)).toEqual([...documents.keys()]);
    expect(rig.kube.count({ method: 'DELETE', path: new RegExp(`/${tenant.namespace}/`) })).toBe(0);
  });

  it('keeps that one source, and the others go on', async () => {
    const documents = someDocuments(12);
    await plant(tenant, documents);
    const path = new RegExp(`/data/${tenant.namespace}/doc-005$`);
    rules.push(rig.bao.onRequest({ method: 'GET', path }, { kind: 'mutate', change: otherValue }));
    await tenant.apply(aMigration('one-mismatch', { sourcePolicy: 'Delete' }));
    const ready = await tenant.untilReady('one-mismatch', { status: 'False', reason: 'IntegrityViolated' });

    expect(ready.status.summary).toMatchObject({ total: 12, copied: 1, removed: 11 });
    expect(await remainingSources(tenant, documents)).toEqual(['doc-005']);
    expect(requests('DELETE', secretPath('doc-005'))).toEqual([]);
  });
});

describe('a lost reply', () => {
  it('of a write is followed by a look: one version, verified by adoption', async () => {
    const documents = someDocuments(12);
    await plant(tenant, documents);
    const path = new RegExp(`/data/${tenant.namespace}/doc-004$`);
    const rule = rig.bao.onRequest({ method: 'POST', path }, { kind: 'drop-after' }, 1);
    await tenant.apply(aMigration('lost-write', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('lost-write');

    expect(rule.hits).toBe(1);
    const write = theOne('POST', dataPath('doc-004'));
    const look = requests('GET', dataPath('doc-004'), /^$/).at(0);
    if (look === undefined) throw new Error('nobody looked');
    expectEndedBefore(write, look);
    expect(await rowOf('lost-write', 'doc-004')).toMatchObject({
      state: 'Removed',
      destination: { version: '1' },
    });
    await expectMoved(documents);
  });

  it('of a write that never arrived leads to a second write, not to a hole', async () => {
    const documents = someDocuments(12);
    await plant(tenant, documents);
    const path = new RegExp(`/data/${tenant.namespace}/doc-004$`);
    rig.bao.onRequest({ method: 'POST', path }, { kind: 'drop-before' }, 1);
    await tenant.apply(aMigration('lost-request', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('lost-request');

    expect(requests('POST', dataPath('doc-004'))).toHaveLength(2);
    await expectMoved(documents);
  });

  it('of a delete is settled by looking at the source: Removed', async () => {
    const documents = someDocuments(12);
    await plant(tenant, documents);
    const path = new RegExp(`/${tenant.namespace}/secrets/doc-007$`);
    const rule = rig.kube.onRequest({ method: 'DELETE', path }, { kind: 'drop-after' }, 1);
    await tenant.apply(aMigration('lost-delete', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('lost-delete');

    expect(rule.hits).toBe(1);
    theOne('DELETE', secretPath('doc-007'));
    expect(await rowOf('lost-delete', 'doc-007')).toMatchObject({ state: 'Removed' });
    await expectMoved(documents);
  });
});

describe('another writer in the middle of it', () => {
  it('who writes first wins: their value stays, ours stays at the source, the row says Conflict', async () => {
    const documents = someDocuments(12);
    await plant(tenant, documents);
    const path = new RegExp(`/data/${tenant.namespace}/doc-002$`);
    const release = Promise.withResolvers<void>();
    const rule = rig.bao.onRequest({ method: 'POST', path }, { kind: 'hold', until: release.promise }, 1);
    await tenant.apply(aMigration('race', { sourcePolicy: 'Delete' }));
    await rule.firstHit;
    await rig.cluster.bao('POST', dataPath('doc-002').slice('/v1/'.length), { data: { [FIELD]: 'theirs' } });
    release.resolve();
    await tenant.untilReady('race', { status: 'False', reason: 'ConflictsFound' });

    expect(await rowOf('race', 'doc-002')).toMatchObject({ state: 'Conflict', reason: 'DestinationDiffers' });
    expect(await readStored(tenant, 'doc-002')).toEqual({ value: Buffer.from('theirs'), versions: 1 });
    expect(await remainingSources(tenant, documents)).toEqual(['doc-002']);
  });

  it('who edits a source just before it goes keeps the edit', async () => {
    const documents = someDocuments(12);
    await plant(tenant, documents);
    const path = new RegExp(`/${tenant.namespace}/secrets/doc-003$`);
    const release = Promise.withResolvers<void>();
    const rule = rig.kube.onRequest({ method: 'DELETE', path }, { kind: 'hold', until: release.promise }, 1);
    await tenant.apply(aMigration('edited', { sourcePolicy: 'Delete' }));
    await rule.firstHit;
    await tenant.apply(aSecret('doc-003', { [FIELD]: 'rotated' }));
    release.resolve();
    await tenant.untilReady('edited', { status: 'False', reason: 'ConflictsFound' });

    expect((await tenant.secret('doc-003'))?.data).toEqual({
      [FIELD]: Buffer.from('rotated').toString('base64'),
    });
    expect(await rowOf('edited', 'doc-003')).toMatchObject({
      state: 'Conflict',
      reason: 'DestinationDiffers',
    });
    expect(await remainingSources(tenant, documents)).toEqual(['doc-003']);
  });
});
