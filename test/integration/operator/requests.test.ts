import { beforeAll, describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { kvPut, pathOf, requestRun, statesOf } from '#test/support/queries.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

/* Exactly which requests a document costs at both servers, without those of a run: status, reviews, rights, folders. */

const stage = useStage();

const COUNT = 60;
const names = Array.from({ length: COUNT }, (_, index) => `doc-${String(index).padStart(2, '0')}`);

interface Requests {
  /** At the KV server, by document: `POST data`, and `GET data?version=1` for a read of one version. */
  readonly kv: (path: string) => readonly string[];
  /** For one Secret at the API server: `POST`, `GET`, by name where the path has one. */
  readonly secrets: readonly string[];
  /** Lists of Secrets at the API server, in order. */
  readonly lists: readonly string[];
}

/** The requests of the operator for the documents of this tenant while `act` runs. */
async function requestsOf(tenant: Tenant, act: () => Promise<unknown>): Promise<Requests> {
  const before = { api: stage().api.requests.length, bao: stage().bao.requests.length };
  await act();
  const secrets = `/api/v1/namespaces/${tenant.namespace}/secrets`;
  const api = stage()
    .api.requests.slice(before.api)
    .filter(({ path }) => path === secrets || path.startsWith(`${secrets}/`))
    .filter(({ path }) => !path.endsWith('/bao-token'));
  const isList = ({ method, path }: RecordedRequest): boolean => method === 'GET' && path === secrets;
  return {
    kv: (path) => kvRequests(tenant, path, stage().bao.requests.slice(before.bao)),
    secrets: api.filter((each) => !isList(each)).map(({ method }) => method),
    lists: api.filter(isList).map(({ query }) => kindOf(decodeURIComponent(query))),
  };
}

/** `inventory`: all names and types, without a selector; `names` for others; pages of values begin small. */
function kindOf(query: string): string {
  if (query === 'limit=500') return 'inventory';
  if (query.includes('keyferry.io/removed-by')) return 'claims';
  return /^limit=(40|160)&/.test(query) ? 'values' : 'names';
}

function kvRequests(
  { mount }: Tenant,
  document: string,
  requests: readonly RecordedRequest[],
): readonly string[] {
  const place = new RegExp(`^/v1/${mount}/(data|metadata)/${document}$`);
  return requests.flatMap(({ method, path, query }) => {
    const tree = place.exec(path)?.[1];
    return tree === undefined ? [] : [`${method} ${tree}${query === '' ? '' : `?${query}`}`];
  });
}

const NEW_TYPED = {
  // metadata_cas 0 creates the path, or is refused.
  openbao: ['POST metadata', 'POST data', 'PATCH metadata', 'GET data?version=1'],
  // Nothing compares: a path is read, made without any entry, and then patched.
  vault: [
    'GET metadata',
    'POST metadata',
    'PATCH metadata',
    'POST data',
    'PATCH metadata',
    'GET data?version=1',
  ],
};

describe('from Secrets to the KV server', () => {
  let tenant: Tenant;
  let first: Requests;

  beforeAll(async () => {
    tenant = await stage().tenant();
    for (const name of names) await tenant.apply(aSecret(name, { k: name }));
    const basic = { type: 'kubernetes.io/basic-auth' };
    await tenant.apply(aSecret('typed', { username: 'u', password: 'p' }, basic));
    await tenant.apply(aSecret('binary', { k: Uint8Array.of(0, 255) }));
    first = await requestsOf(tenant, async () => {
      await tenant.apply(aMigration('push', { select: { exclude: { names: ['bao-token'] }, all: true } }));
      await tenant.untilReady('push');
    });
    expect(new Set(Object.values(await statesOf(tenant, 'push')))).toEqual(new Set(['Verified']));
  });

  it('a new document of plain text takes a write and a read, one with a type or bytes its marks, too', () => {
    for (const name of names)
      expect(first.kv(pathOf(tenant, name))).toEqual(['POST data', 'GET data?version=1']);
    const typed = NEW_TYPED[stage().cluster.isOpenBao ? 'openbao' : 'vault'];
    for (const name of ['typed', 'binary']) expect(first.kv(pathOf(tenant, name))).toEqual(typed);
  });

  it('a run takes one list that counts, one of claims, and pages of values; no Secret by name', () => {
    expect(first.secrets).toEqual([]);
    expect(first.lists).toEqual(['claims', 'inventory', 'values', 'values']);
  });

  it('a run that finds nothing new reads each document once, and Secrets in pages', async () => {
    const again = await requestsOf(tenant, async () => requestRun(tenant, 'push'));
    for (const name of [...names, 'typed']) expect(again.kv(pathOf(tenant, name))).toEqual(['GET data']);
    expect(again.secrets).toEqual([]);
    expect(again.lists).toEqual(first.lists);
  });
});

describe('from the KV server to Secrets', () => {
  let tenant: Tenant;
  let first: Requests;

  beforeAll(async () => {
    tenant = await stage().tenant();
    for (const name of names) await kvPut(tenant, pathOf(tenant, name), { k: name });
    first = await requestsOf(tenant, async () => {
      await tenant.apply(aMigration('pull', { from: 'bao', to: 'kubernetes', select: { all: true } }));
      await tenant.untilReady('pull');
    });
    expect(new Set(Object.values(await statesOf(tenant, 'pull')))).toEqual(new Set(['Verified']));
  });

  it('a new Secret is one request: the reply to its creation is its read-back', () => {
    for (const name of names) expect(first.kv(pathOf(tenant, name))).toEqual(['GET data']);
    expect(first.secrets).toEqual(names.map(() => 'POST'));
    expect(first.lists).toEqual(['names']);
  });

  it('a run that finds nothing new reads pages of the Secrets of Keyferry, and none by name', async () => {
    const again = await requestsOf(tenant, async () => requestRun(tenant, 'pull'));
    for (const name of names) expect(again.kv(pathOf(tenant, name))).toEqual(['GET data']);
    expect(again.secrets).toEqual([]);
    expect(again.lists).toEqual(['names', 'values', 'values']);
  });
});

describe('a migration of few Secrets that is kept in step', () => {
  it('takes one list of Secrets a pass, and one an hour for kept copies', async () => {
    const tenant = await stage().tenant();
    for (const name of names.slice(0, 5)) await tenant.apply(aSecret(name, { k: name }));
    await tenant.apply(aMigration('sync', { mode: 'Sync', select: { prefix: 'doc-' } }));
    await tenant.untilReady('sync');
    const again = await requestsOf(tenant, async () => requestRun(tenant, 'sync'));
    expect(again.secrets).toEqual([]);
    expect(again.lists).toEqual(['inventory']);
  });
});
