import { describe, expect, it } from 'vitest';
import { ACKNOWLEDGE_IDENTITY_ANNOTATION } from '#src/api/group.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { kvData, kvMetadata, kvPut, requestRun, rowsByName, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

/* sync.prune with real servers: what a deletion removes at the other side, and which loss of a store removes nothing. */

const stage = useStage();

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const SYNC = { mode: 'Sync', sync: { intervalSeconds: 5, prune: true, maxPrunePercent: 34 } } as const;

async function fromSecrets(): Promise<Tenant> {
  const tenant = await stage().tenant();
  for (const name of NAMES) await tenant.apply(aSecret(name, { k: `value of ${name}` }));
  await tenant.apply(aMigration('sync', SYNC));
  await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  return tenant;
}

async function fromPaths(maxPrunePercent = 34): Promise<Tenant> {
  const tenant = await stage().tenant();
  for (const name of NAMES) await kvPut(tenant, pathOf(tenant, name), { k: `value of ${name}` });
  const select = { all: true as const };
  await tenant.apply(
    aMigration('sync', {
      from: 'bao',
      to: 'kubernetes',
      select,
      ...SYNC,
      sync: { ...SYNC.sync, maxPrunePercent },
    }),
  );
  await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  return tenant;
}

function pathOf(tenant: Tenant, name: string): string {
  return `${tenant.namespace}/${name}`;
}

async function untilState(tenant: Tenant, name: string, state: string): Promise<void> {
  await eventually(`${name} is ${state}`, async () => (await statesOf(tenant, 'sync'))[name] === state);
}

async function secretsOf(tenant: Tenant): Promise<readonly string[]> {
  const found = await Promise.all(NAMES.map(async (name) => ((await tenant.secret(name)) ? [name] : [])));
  return found.flat();
}

describe('Secrets of a namespace that are deleted one by one', () => {
  it('take their documents in OpenBao along up to the limit, and each can be undeleted', async () => {
    const tenant = await fromSecrets();
    for (const name of ['a', 'b']) {
      await tenant.delete('Secret', name);
      await untilState(tenant, name, 'Removed PrunedDestination');
      expect(await kvData(tenant, pathOf(tenant, name)).catch(() => undefined)).toBeUndefined();
    }
    for (const name of ['c', 'd', 'e']) {
      await tenant.delete('Secret', name);
      await untilState(tenant, name, 'Conflict PruneLimited');
    }
    for (const name of ['c', 'd', 'e', 'f'])
      expect(await kvData(tenant, pathOf(tenant, name))).toEqual({ k: `value of ${name}` });
    const { message } = (await rowsByName(tenant, 'sync'))['e'] ?? {};
    expect(message).toContain('3 of 6 documents would be removed after 2 in the last hour');
    await tenant.cluster.bao('POST', `${tenant.mount}/undelete/${pathOf(tenant, 'a')}`, { versions: [1] });
    await requestRun(tenant, 'sync');
    await untilState(tenant, 'a', 'Skipped DestinationReturned');
    expect(await kvData(tenant, pathOf(tenant, 'a'))).toEqual({ k: 'value of a' });
    expect((await kvMetadata(tenant, pathOf(tenant, 'a')))?.custom_metadata).toEqual({
      'keyferry-written': 'true@1',
    });
  });

  it('come back in OpenBao when they are created again', async () => {
    const tenant = await fromSecrets();
    await tenant.delete('Secret', 'a');
    await untilState(tenant, 'a', 'Removed PrunedDestination');
    await tenant.apply(aSecret('a', { k: 'new' }));
    await untilState(tenant, 'a', 'Verified FollowedSource');
    expect(await kvData(tenant, pathOf(tenant, 'a'))).toEqual({ k: 'new' });
  });
});

/** Says that the store that answers now is the intended one, as the message of the backend asks. */
async function acknowledge(tenant: Tenant): Promise<void> {
  await eventually('the new store is the intended one', async () => {
    const ready = (await tenant.backend('bao')).status.conditions?.find(({ type }) => type === 'Ready');
    const [, identity] = /acknowledge-identity='([^']*)'/.exec(ready?.message ?? '') ?? [];
    if (identity === undefined) return false;
    const annotations = { [ACKNOWLEDGE_IDENTITY_ANNOTATION]: identity };
    await tenant.mergePatch('SecretBackend', 'bao', { metadata: { annotations } });
    return true;
  });
}

describe('paths that Secrets follow', () => {
  it('take the Secret along when they are deleted', async () => {
    const tenant = await fromPaths();
    await tenant.cluster.bao('DELETE', `${tenant.mount}/data/${pathOf(tenant, 'a')}`);
    await untilState(tenant, 'a', 'Removed PrunedDestination');
    expect(await secretsOf(tenant)).toEqual(NAMES.slice(1));
  });

  it('leave every Secret alone when their mount is disabled, and when an empty one takes its place', async () => {
    const tenant = await fromPaths(100);
    await tenant.cluster.bao('DELETE', `sys/mounts/${tenant.mount}`);
    await requestRun(tenant, 'sync');
    await tenant.untilReady('sync', { status: 'False' });
    await tenant.cluster.bao('POST', `sys/mounts/${tenant.mount}`, { type: 'kv', options: { version: '2' } });
    // Wakes the backend, as the next probe would.
    await tenant.mergePatch('SecretBackend', 'bao', { spec: { openbao: { requestTimeoutSeconds: 7 } } });
    await acknowledge(tenant);
    await tenant.untilReady('sync', { status: 'True' });
    for (const name of NAMES) await untilState(tenant, name, 'Skipped SourceGone');
    const { message } = (await rowsByName(tenant, 'sync'))['a'] ?? {};
    expect(message).toContain('no other document of the migration shows');
    expect(await secretsOf(tenant)).toEqual(NAMES);
  });
});
