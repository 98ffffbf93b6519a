import { describe, expect, it } from 'vitest';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { holdWrites } from '#test/support/gate.ts';
import { conditionOf, eventOf, kvMetadata, kvPut, pathOf, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { fieldsOf, sourceNames, wholeNames } from './documents.ts';

const stage = useStage();

const NAMES = ['first', 'second', 'third'];
const OTHER_PLAN = `sha256:${'0'.repeat(64)}`;

/** A tenant with a migration that waits, of these Secrets. */
async function awaiting(spec: object = {}): Promise<{ tenant: Tenant; digest: string }> {
  const tenant = await stage().tenant();
  for (const name of NAMES) await tenant.apply(aSecret(name, fieldsOf(name)));
  await tenant.apply(aMigration('move', { approval: { required: true }, ...spec }));
  return { tenant, digest: digestOf(await untilAwaiting(tenant)) };
}

async function untilAwaiting(tenant: Tenant): Promise<SecretMigration> {
  return tenant.untilReady('move', { status: 'False', reason: 'AwaitingApproval' });
}

function digestOf({ status }: SecretMigration): string {
  return status.plan?.digest ?? 'none';
}

async function approve(tenant: Tenant, digest: string): Promise<void> {
  await tenant.mergePatch('SecretMigration', 'move', { spec: { approval: { digest } } });
}

describe('a migration whose plan is to be approved', () => {
  it('writes nothing before, does what did not change since, and asks again for the rest', async () => {
    const { tenant, digest } = await awaiting({ sourcePolicy: 'Delete' });
    const waiting = await tenant.migration('move');
    expect(waiting.status.plan).toMatchObject({ create: 3, remove: 3 });
    expect(conditionOf(waiting, 'Reconciling')).toBeUndefined();
    expect(waiting.status.keys?.[0]).toMatchObject({ state: 'Pending', planned: 'Create' });
    await approve(tenant, OTHER_PLAN);
    const other = await untilAwaiting(tenant);
    expect(conditionOf(other, 'Ready')?.message).toContain('spec.approval.digest names another plan.');
    expect([digestOf(other), stage().changesOf(tenant)]).toEqual([digest, []]);

    await tenant.apply(aSecret('second', { password: 'changed' }));
    await kvPut(tenant, pathOf(tenant, 'third'), { password: 'of another writer' });
    await tenant.apply(aSecret('new', fieldsOf('new')));
    await approve(tenant, digest);
    await eventOf(tenant, 'NeedsReplan');
    const again = await untilAwaiting(tenant);
    expect(await statesOf(tenant, 'move')).toEqual({
      first: 'Removed',
      second: 'Pending NeedsReplan',
      new: 'Pending NeedsReplan',
      third: 'Conflict DestinationDiffers',
    });
    expect(await sourceNames(tenant)).toEqual(['new', 'second', 'third']);

    await approve(tenant, digestOf(again));
    await tenant.untilReady('move', { status: 'False', reason: 'ConflictsFound' });
    expect(await sourceNames(tenant)).toEqual(['third']);
  });

  it('needs another approval for another spec', async () => {
    const { tenant, digest } = await awaiting();
    const spec = { sourcePolicy: 'Delete', approval: { digest } };
    await tenant.mergePatch('SecretMigration', 'move', { spec });
    const changed = await untilAwaiting(tenant);
    expect([digestOf(changed) === digest, stage().changesOf(tenant)]).toEqual([false, []]);
    await tenant.mergePatch('SecretMigration', 'move', { spec: { sourcePolicy: 'Keep' } });
    await tenant.untilReady('move', { status: 'True', reason: 'Completed' });
    expect(await sourceNames(tenant)).toEqual(NAMES);
  });

  it('copies the custom metadata of a path as it is at the time of the run: a change of it makes no version', async () => {
    const tenant = await stage().tenant();
    await kvPut(tenant, 'db', { password: 'p' });
    const note = async (team: string): Promise<void> => {
      const path = `${tenant.mount}/metadata/db`;
      await tenant.cluster.bao('POST', path, { custom_metadata: { team } });
    };
    await note('first');
    const { spec } = aMigration('move', { from: 'bao', to: 'kubernetes', approval: { required: true } });
    const mapping = { path: '{name}', labels: ['team'] };
    await tenant.apply({ ...aMigration('move'), spec: { ...spec, select: { names: ['db'] }, mapping } });
    const digest = digestOf(await untilAwaiting(tenant));
    const version = await kvMetadata(tenant, 'db');
    await note('second');
    expect((await kvMetadata(tenant, 'db'))?.current_version).toBe(version?.current_version);
    await approve(tenant, digest);
    await tenant.untilReady('move', { status: 'True', reason: 'Completed' });
    expect((await tenant.secret('db'))?.metadata.labels).toMatchObject({ team: 'second' });
  });

  it('goes on with the approved plan after its operator was restarted in the middle', async () => {
    const { tenant, digest } = await awaiting({ sourcePolicy: 'Delete' });
    using writes = holdWrites(stage(), tenant);
    await approve(tenant, digest);
    await writes.arrival;
    const restarted = stage().restartOperator();
    writes.open();
    await restarted;
    await tenant.untilReady('move', { status: 'True', reason: 'Completed' });
    expect(await sourceNames(tenant)).toEqual([]);
    expect(await wholeNames(tenant)).toEqual(NAMES);
  });
});
