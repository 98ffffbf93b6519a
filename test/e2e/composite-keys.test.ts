import { expect, it } from 'vitest';
import { aMigration } from '#test/builders/objects.ts';
import {
  kvData,
  kvMetadata,
  kvNames,
  kvPut,
  pathOf,
  reasonOf,
  requestRun,
  rowsByName,
  statesOf,
  versionOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

/*
 * ToolHive #4198 (reference peers.md §1.3): tokens whose names gain a part, in bulk. The original gave no verdict: it
 * went on past what it could not read and said that all was well. Expiry: expiry-and-metadata.test.ts.
 */

const stage = useStage();

const MAPPING = {
  path: '{namespace}/{name}',
  patterns: [
    { from: 'user:{id}', to: 'user:{id}:okta', sourcePolicy: 'Keep' as const },
    { from: 'session:{id}', to: 'session:{id}:okta' },
  ],
  keys: [{ from: 'okta_{part}', to: '{part}' }],
};

function aReKeying(name: string) {
  const spec = { from: 'bao', to: 'bao', select: { all: true as const }, mapping: MAPPING };
  return aMigration(name, { ...spec, sourcePolicy: 'Delete' });
}

async function put(tenant: Tenant, ...names: readonly string[]): Promise<void> {
  for (const name of names)
    await kvPut(tenant, pathOf(tenant, name), { okta_token: `of ${name}`, state: 's' });
}

/** Nobody can say which of its fields are text: the note that says so is damaged. */
async function corrupt(tenant: Tenant, name: string): Promise<void> {
  await tenant.cluster.bao('POST', `${tenant.mount}/metadata/${pathOf(tenant, name)}`, {
    custom_metadata: { 'keyferry-base64': 'not a list' },
  });
}

it('gives names and fields their new form, keeps the old names of one rule, and counts what each rule did', async () => {
  const tenant = await stage().tenant();
  await put(tenant, 'session:1', 'session:2', 'session:9:okta', 'user:7', 'other');
  await tenant.apply(aReKeying('rekey'));
  const migration = await tenant.untilReady('rekey');

  expect(await statesOf(tenant, 'rekey')).toEqual({
    'session:1': 'Removed',
    'session:2': 'Removed',
    'session:9:okta': 'Skipped AlreadyRenamed',
    'user:7': 'Verified',
    other: 'Skipped NoRule',
  });
  expect(await kvNames(tenant, tenant.namespace)).toEqual(
    expect.arrayContaining(['session:1:okta', 'session:2:okta', 'user:7', 'user:7:okta', 'other']),
  );
  expect(await kvData(tenant, pathOf(tenant, 'session:1:okta'))).toEqual({
    token: 'of session:1',
    state: 's',
  });
  expect(await kvData(tenant, pathOf(tenant, 'user:7'))).toEqual({ okta_token: 'of user:7', state: 's' });
  expect(await kvData(tenant, pathOf(tenant, 'session:9:okta'))).toHaveProperty('okta_token');
  const renamed = migration.status.keys?.find(({ name }) => name === 'session:1');
  expect(renamed).toMatchObject({
    keys: ['okta_token', 'state'],
    destination: { path: pathOf(tenant, 'session:1:okta'), keys: ['token', 'state'] },
  });
  // Of keys, as everywhere in the status; what is not read counts as one.
  expect(migration.status.rules).toEqual([
    { rule: 'patterns[0]', total: 2, migrated: 2, skipped: 0, failed: 0 },
    { rule: 'patterns[1]', total: 5, migrated: 4, skipped: 1, failed: 0 },
  ]);
});

it('moves the rest past one that is corrupt, and its verdict is that one failed', async () => {
  const tenant = await stage().tenant();
  await put(tenant, 'session:1', 'session:2', 'session:3');
  await corrupt(tenant, 'session:2');
  await tenant.apply(aReKeying('rekey'));
  const migration = await tenant.untilReady('rekey', { reason: 'PartiallyFailed' });

  expect(migration.status.rules).toContainEqual({
    rule: 'patterns[1]',
    total: 5,
    migrated: 4,
    skipped: 0,
    failed: 1,
  });
  const row = (await rowsByName(tenant, 'rekey'))['session:2'];
  expect(row).toMatchObject({ state: 'Failed', rule: 'patterns[1]' });
  expect(row?.message).toContain('keyferry-base64');
  // Neither read wrongly nor touched.
  expect(await versionOf(tenant, 'session:2')).toBe(1);
  expect(await kvMetadata(tenant, pathOf(tenant, 'session:2:okta'))).toBeUndefined();
  expect(await statesOf(tenant, 'rekey')).toMatchObject({ 'session:1': 'Removed', 'session:3': 'Removed' });
});

it('does the corrupt one, and nothing else, once it has been repaired', async () => {
  const tenant = await stage().tenant();
  await put(tenant, 'session:1', 'session:2');
  await corrupt(tenant, 'session:2');
  await tenant.apply(aReKeying('rekey'));
  await tenant.untilReady('rekey', { reason: 'PartiallyFailed' });
  await tenant.cluster.bao('DELETE', `${tenant.mount}/metadata/${pathOf(tenant, 'session:2')}`);
  await put(tenant, 'session:2');
  const changes = stage().changesOf(tenant).length;
  const migration = await requestRun(tenant, 'rekey');

  expect(reasonOf(migration)).toBe('Completed');
  expect(await statesOf(tenant, 'rekey')).toMatchObject({ 'session:1': 'Removed', 'session:2': 'Removed' });
  const paths = stage().changesOf(tenant).slice(changes);
  expect(paths.filter((path) => !decodeURIComponent(path).includes('session:2'))).toEqual([]);
  expect(await versionOf(tenant, 'session:1:okta')).toBe(1);
});
