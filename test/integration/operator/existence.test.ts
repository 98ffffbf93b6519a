import { afterEach, describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import type { Action, Rule } from '#test/support/proxy-rules.ts';
import type { Tenant } from '#test/support/tenant.ts';
import {
  dataPathOf,
  kvData,
  kvMetadata,
  kvNames,
  kvPut,
  pathOf,
  reasonOf,
  requestRun,
  rowsByName,
  statesOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';

/*
 * Whether a document exists is asked twice: by listing the destination folder, and, where the listing is refused or says
 * that the name is taken, by reading the very path. An empty folder or a plain 404 means absent. Nothing else does.
 */

const stage = useStage();

const FIELDS = { user: 'app', password: 'hunter2' };
const FORBIDDEN: Action = { kind: 'status', code: 403, body: { errors: ['permission denied'] } };
const BROKEN: Action = { kind: 'status', code: 500, body: { errors: ['internal error'] } };
const NO_MOUNT: Action = { kind: 'status', code: 404, body: { errors: ['no handler for route'] } };
const NOT_FOUND_PAGE: Action = { kind: 'status', code: 404, body: 'not found' };

const rules: Rule[] = [];
afterEach(() => {
  for (const rule of rules.splice(0)) rule.remove();
});

async function aTenantWith(names: readonly string[], policy?: (mount: string) => string): Promise<Tenant> {
  const mount = await stage().cluster.createMount('kv');
  const tenant = await stage().tenant({ mount, ...(policy === undefined ? {} : { policy: policy(mount) }) });
  for (const name of names) await tenant.apply(aSecret(name, FIELDS));
  return tenant;
}

/** From now on the listing of the destination folder is answered like this. */
function onListing(tenant: Tenant, action: Action): Rule {
  const path = new RegExp(`^/v1/${tenant.mount}/metadata/${tenant.namespace}$`);
  const rule = stage().bao.onRequest({ method: 'GET', path, query: /list=true/ }, action);
  rules.push(rule);
  return rule;
}

/** From now on reads of this document's current version are answered like this. */
function onRead(tenant: Tenant, name: string, action: Action): Rule {
  const path = dataPathOf(tenant, name);
  const rule = stage().bao.onRequest({ method: 'GET', path, query: /^$/ }, action);
  rules.push(rule);
  return rule;
}

/** Names of the documents that anything was written to, from the wire. */
function written(tenant: Tenant): readonly string[] {
  const path = new RegExp(`^/v1/${tenant.mount}/(?:data|metadata|delete)/${tenant.namespace}/(.*)$`);
  return stage()
    .bao.requests.filter(({ method }) => method !== 'GET')
    .flatMap((request) => path.exec(request.path)?.[1] ?? [])
    .toSorted();
}

describe('a destination folder', () => {
  it('that the server does not know is empty: everything is written', async () => {
    const tenant = await aTenantWith(['one', 'two']);
    await tenant.apply(aMigration('fresh'));
    expect(reasonOf(await tenant.untilReady('fresh'))).toBe('Completed');
    expect(written(tenant)).toEqual(['one', 'two']);
  });

  it.each([
    ['breaks with 500', BROKEN],
    ['is a 404 that is nothing that this server would say', NOT_FOUND_PAGE],
  ])(
    'whose listing %s is unknown: each path in it is read before anything is written',
    async (_what, action) => {
      const tenant = await aTenantWith(['free', 'taken']);
      await kvPut(tenant, pathOf(tenant, 'taken'), { password: 'other' });
      const listing = onListing(tenant, action);
      await tenant.apply(aMigration('unlisted'));
      await tenant.untilReady('unlisted', { status: 'False' });
      expect(listing.hits).toBeGreaterThan(0);
      expect(await statesOf(tenant, 'unlisted')).toEqual({
        free: 'Verified',
        taken: 'Conflict DestinationDiffers',
      });
      expect(written(tenant)).toEqual(['free']);
      expect(await kvData(tenant, pathOf(tenant, 'taken'))).toEqual({ password: 'other' });
    },
  );

  it('whose listing says that there is no KV mount ends the run: nothing is written', async () => {
    const tenant = await aTenantWith(['one']);
    onListing(tenant, NO_MOUNT);
    await tenant.apply(aMigration('strange'));
    await tenant.untilReady('strange', { status: 'False', reason: 'MountMissing' });
    expect(written(tenant)).toEqual([]);
    expect(await kvNames(tenant, tenant.namespace)).toEqual([]);
  });

  it('that may not be listed is looked at path by path: absent is written, 403 and 500 are not', async () => {
    const tenant = await aTenantWith(['absent', 'forbidden', 'broken']);
    const refusals = [
      onListing(tenant, FORBIDDEN),
      onRead(tenant, 'forbidden', FORBIDDEN),
      onRead(tenant, 'broken', BROKEN),
    ];
    await tenant.apply(aMigration('three'));
    const migration = await tenant.untilReady('three', { status: 'False', reason: 'PartiallyFailed' });

    expect(await statesOf(tenant, 'three')).toEqual({
      absent: 'Verified',
      forbidden: 'Failed PermissionDenied',
      broken: 'Failed ServerError',
    });
    const rows = await rowsByName(tenant, 'three');
    expect(rows['forbidden']?.message).toMatch(
      /refused the credentials or the permission \(openbao\.read .*\)\. Grant/s,
    );
    expect(rows['broken']?.message).toMatch(
      /failed to handle the request \(openbao\.read .*\)\..*log of the server/s,
    );
    expect(migration.status.summary).toMatchObject({ total: 6, verified: 2, failed: 4 });
    expect(written(tenant)).toEqual(['absent']);
    expect(await kvNames(tenant, tenant.namespace)).toEqual(['absent']);

    for (const rule of refusals) {
      expect(rule.hits).toBeGreaterThan(0);
      rule.remove();
    }
    expect(reasonOf(await requestRun(tenant, 'three'))).toBe('Completed');
    expect(written(tenant)).toEqual(['absent', 'broken', 'forbidden']);
    expect(await kvMetadata(tenant, `${tenant.namespace}/absent`)).toMatchObject({ current_version: 1 });
  });
});

describe('a destination document that is there and cannot be read', () => {
  it('fails alone, whatever the server says; the others finish', async () => {
    const tenant = await aTenantWith(['forbidden', 'broken', 'strange', 'equal', 'free']);
    for (const name of ['forbidden', 'broken', 'strange', 'equal']) {
      await kvPut(tenant, `${tenant.namespace}/${name}`, FIELDS);
    }
    onRead(tenant, 'forbidden', FORBIDDEN);
    onRead(tenant, 'broken', BROKEN);
    onRead(tenant, 'strange', NOT_FOUND_PAGE);
    await tenant.apply(aMigration('alone'));
    await tenant.untilReady('alone', { status: 'False', reason: 'PartiallyFailed' });

    expect(await statesOf(tenant, 'alone')).toEqual({
      forbidden: 'Failed PermissionDenied',
      broken: 'Failed ServerError',
      strange: 'Failed ReplyInvalid',
      equal: 'Verified',
      free: 'Verified',
    });
    expect(written(tenant)).toEqual(['free']);
  });
});

describe('a policy of the server itself', () => {
  /** What Keyferry needs, except that documents of the name `forbidden` may be written and not read. */
  const listing = (mount: string): string => `
path "${mount}/data/*" { capabilities = ["create", "update", "read"] }
path "${mount}/data/+/forbidden" { capabilities = ["create", "update"] }
path "${mount}/metadata/*" { capabilities = ["create", "update", "patch", "read", "list"] }
path "${mount}/config" { capabilities = ["read"] }`;
  /** The same without the right to list. */
  const narrow = (mount: string): string => listing(mount).replace(', "list"', '');

  /** Lets the tenant's token do all that it needs, as its administrator would. */
  async function grant(tenant: Tenant): Promise<void> {
    const held = await tenant.secret('bao-token');
    const token = Buffer.from(held?.data?.['token'] ?? '', 'base64').toString('utf8');
    const { data } = await tenant.cluster.bao<{ data: { policies: string[] } }>('POST', 'auth/token/lookup', {
      token,
    });
    const name = data.policies.find((policy) => policy !== 'default');
    const policy = `path "${tenant.mount}/*" { capabilities = ["create", "update", "patch", "read", "list"] }`;
    await tenant.cluster.bao('PUT', `sys/policies/acl/${name}`, { policy });
  }

  it('that forbids a path is known before anything is asked of that path; the rest is moved', async () => {
    const tenant = await aTenantWith(['forbidden', 'free'], narrow);
    await tenant.apply(aMigration('narrow'));
    await tenant.untilReady('narrow', { status: 'False', reason: 'PartiallyFailed' });

    expect(await statesOf(tenant, 'narrow')).toEqual({
      forbidden: 'Failed PermissionDenied',
      free: 'Verified',
    });
    const path = `${tenant.mount}/data/${tenant.namespace}/forbidden`;
    expect((await rowsByName(tenant, 'narrow'))['forbidden']).toMatchObject({
      message: `The policy must allow "read" on ${path} to read it.`,
      destination: { path: `${tenant.namespace}/forbidden` },
    });
    expect(stage().bao.count({ path: new RegExp(path) })).toBe(0);
    expect(await kvNames(tenant, tenant.namespace)).toEqual(['free']);

    await grant(tenant);
    expect(reasonOf(await requestRun(tenant, 'narrow'))).toBe('Completed');
    expect(await kvData(tenant, `${tenant.namespace}/forbidden`)).toEqual(FIELDS);
  });

  it('that even hides what it forbids lets nothing be written either', async () => {
    const tenant = await aTenantWith(['forbidden', 'free'], narrow);
    const path = /^\/v1\/sys\/capabilities-self$/;
    rules.push(stage().bao.onRequest({ path }, FORBIDDEN));
    await tenant.apply(aMigration('hidden'));
    await tenant.untilReady('hidden', { status: 'False', reason: 'PartiallyFailed' });

    expect(await statesOf(tenant, 'hidden')).toEqual({
      forbidden: 'Failed PermissionDenied',
      free: 'Verified',
    });
    expect(written(tenant)).toEqual(['free']);
    expect(await kvNames(tenant, tenant.namespace)).toEqual(['free']);
  });

  it('that forbids one source document stops only that one', async () => {
    const tenant = await aTenantWith([], listing);
    for (const name of ['forbidden', 'free']) await kvPut(tenant, `${tenant.namespace}/${name}`, FIELDS);
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes' }));
    await tenant.untilReady('back', { status: 'False', reason: 'PartiallyFailed' });

    expect(await statesOf(tenant, 'back')).toEqual({
      forbidden: 'Failed PermissionDenied',
      free: 'Verified',
    });
    expect(await tenant.secret('forbidden')).toBeUndefined();
    expect(await tenant.secret('free')).toMatchObject({ data: aSecret('free', FIELDS).data });

    await grant(tenant);
    expect(reasonOf(await requestRun(tenant, 'back'))).toBe('Completed');
    expect(await tenant.secret('forbidden')).toMatchObject({ data: aSecret('forbidden', FIELDS).data });
  });
});

describe('a source document', () => {
  it('that is absent, forbidden or unreadable is told apart, by name and on every run', async () => {
    const tenant = await aTenantWith([]);
    const names = ['absent', 'forbidden', 'broken', 'free'];
    for (const name of names) await kvPut(tenant, `${tenant.namespace}/${name}`, FIELDS);
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', select: { names } }));
    await tenant.untilReady('back');

    await tenant.cluster.bao('DELETE', `${tenant.mount}/metadata/${tenant.namespace}/absent`);
    onRead(tenant, 'forbidden', FORBIDDEN);
    onRead(tenant, 'broken', BROKEN);
    expect(reasonOf(await requestRun(tenant, 'back'))).toBe('PartiallyFailed');
    expect(await statesOf(tenant, 'back')).toEqual({
      absent: 'Failed SourceMissing',
      forbidden: 'Failed PermissionDenied',
      broken: 'Failed ServerError',
      free: 'Verified',
    });
    for (const name of names) {
      expect(await tenant.secret(name), name).toMatchObject({ data: aSecret(name, FIELDS).data });
    }
  });
});
