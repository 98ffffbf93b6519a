import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GROUP, VERSION } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { readyOf } from '#src/controllers/conditions.ts';
import type { Condition } from '#src/schema/meta.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { fieldsOf, MANY, plantMany, sourceNames, wholeNames } from './documents.ts';
import { Gate, holdRemovals, holdWrites } from '#test/support/gate.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { untilIdle, untilMissed, untilNoticed } from './operator-state.ts';
import {
  conditionOf,
  eventOf,
  kvData,
  kvMetadata,
  kvNames,
  kvPut,
  pathOf,
  requestRun,
  statesOf,
} from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';

const stage = useStage();

type Judged = Pick<SecretMigration, 'metadata' | 'status'>;

/** The Ready condition of each migration and backend of the tenant, once none is without a verdict. */
async function verdictsOf(tenant: Tenant): Promise<ReadonlyMap<string, Condition>> {
  const place = `/apis/${GROUP}/${VERSION}/namespaces/${tenant.namespace}`;
  return await eventually('each object has a verdict', async () => {
    const lists = ['secretmigrations', 'secretbackends'].map(async (plural) => {
      const { items } = await tenant.cluster.kube<{ items: Judged[] }>('GET', `${place}/${plural}`);
      return items.map(({ metadata, status }) => [`${plural}/${metadata.name}`, readyOf(status)] as const);
    });
    const seen = (await Promise.all(lists)).flat();
    const judged = seen.flatMap(([name, ready]) =>
      ready === undefined || ready.reason === 'Progressing' ? [] : [[name, ready] as const],
    );
    if (judged.length === seen.length) return new Map(judged);
    throw new Error(`${judged.length} of ${seen.length}`);
  });
}

function aLabeled(name: string) {
  const { metadata, ...secret } = aSecret(name, fieldsOf(name));
  return { ...secret, metadata: { ...metadata, labels: { team: 'payments' } } };
}

/** The samples. Their migrations use a backend that works, in place of the one that a reader adapts. */
function samples(): string {
  const folder = join(import.meta.dirname, '../../../config/samples');
  const texts = globSync('*.yaml', { cwd: folder }).map((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    return file.startsWith('migration-') ? text.replaceAll('name: openbao\n', 'name: bao\n') : text;
  });
  return texts.join('---\n');
}

describe('the folder of samples', () => {
  it('can be applied as a whole: nothing is written or removed, and each object says how it is', async () => {
    stage().allowErrors(/"code":"(SPEC_INVALID|CREDENTIALS_MISSING|FOLDER_MISSING)"/);
    const tenant = await stage().tenant();
    for (const name of ['payments-db', 'payments-smtp', 'payments-tls']) await tenant.apply(aLabeled(name));
    for (const name of ['GITHUB_TOKEN', 'session:1', 'user:1'])
      await kvPut(tenant, pathOf(tenant, name), fieldsOf(name));
    const secrets = await tenant.secrets();
    const apply = ['-n', tenant.namespace, 'apply', '-f', '-'];
    expect(await tenant.cluster.kubectl(apply, { input: samples() })).toMatchObject({ code: 0 });
    const verdicts = await verdictsOf(tenant);

    const reasons = [...verdicts].map(([name, { reason }]) => [name, reason]);
    expect(Object.fromEntries(reasons)).toMatchObject({
      'secretmigrations/payments-move': 'DryRunCompleted',
      'secretmigrations/payments-backup': 'DryRunCompleted',
      'secretmigrations/sessions-re-key': 'DryRunCompleted',
      'secretmigrations/tools-re-key': 'DryRunCompleted',
      'secretmigrations/payments-tiers': 'Suspended',
      'secretmigrations/token-files': 'BackendNotReady',
      'secretbackends/openbao-token': 'InvalidSpec',
    });
    expect([...verdicts.values()].filter(({ message }) => !/\w+ .*\.$/.test(message))).toEqual([]);
    expect(stage().changesOf(tenant)).toEqual([]);
    expect(await tenant.secrets()).toEqual(secrets);
    // The backends with placeholders would go on failing during the other tests.
    const remove = ['-n', tenant.namespace, 'delete', '-f', '-'];
    expect(await tenant.cluster.kubectl(remove, { input: samples() })).toMatchObject({ code: 0 });
  });
});

describe('dryRun', () => {
  it('says for each document what would happen, writes nothing, and goes on when it is switched off', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('new', fieldsOf('new')));
    await tenant.apply(aSecret('equal', fieldsOf('equal')));
    await kvPut(tenant, `${tenant.namespace}/equal`, fieldsOf('equal'));
    await tenant.apply(aMigration('rehearsal', { dryRun: true, sourcePolicy: 'Delete' }));
    const rehearsed = await tenant.untilReady('rehearsal', { status: 'True', reason: 'DryRunCompleted' });

    expect(await statesOf(tenant, 'rehearsal')).toEqual({
      new: 'Pending WouldCreate',
      equal: 'Pending WouldAdopt',
    });
    expect(conditionOf(rehearsed, 'Ready')?.message).toBe(
      'Dry run, in documents: would create 1, adopt 1, overwrite 0, remove 2; 1 excluded. Nothing was written; set spec.dryRun to false to start.',
    );
    expect(conditionOf(rehearsed, 'Succeeded')?.status).toBe('Unknown');
    expect(rehearsed.status.progress).toBe('0/4');
    const digest: unknown = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
    const totals = {
      create: 1,
      adopt: 1,
      overwrite: 0,
      conflicts: 0,
      remove: 2,
      excluded: 1,
      metadataLost: 0,
    };
    expect(rehearsed.status.plan).toEqual({ digest, ...totals });
    expect(stage().changesOf(tenant)).toEqual([]);
    expect(await sourceNames(tenant)).toEqual(['equal', 'new']);

    await tenant.mergePatch('SecretMigration', 'rehearsal', { spec: { dryRun: false } });
    const done = await tenant.untilReady('rehearsal', { status: 'True', reason: 'Completed' });
    expect(done.status.summary).toMatchObject({ total: 4, removed: 4 });
    expect(done.status.plan).toBeUndefined();
    expect((await eventOf(tenant, 'SourcesRemoved')).note).toBe('This run removed 2 sources.');
    expect(await sourceNames(tenant)).toEqual([]);
    expect(await wholeNames(tenant)).toEqual(['equal', 'new']);
  });

  it('shows a conflict before anything was done', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('free', fieldsOf('free')));
    await tenant.apply(aSecret('taken', fieldsOf('taken')));
    await kvPut(tenant, `${tenant.namespace}/taken`, { password: 'of another writer' });
    await tenant.apply(aMigration('rehearsal', { dryRun: true }));
    const rehearsed = await tenant.untilReady('rehearsal', { status: 'False', reason: 'ConflictsFound' });

    expect(await statesOf(tenant, 'rehearsal')).toEqual({
      free: 'Pending WouldCreate',
      taken: 'Conflict DestinationDiffers',
    });
    expect(rehearsed.status.summary).toMatchObject({ total: 4, pending: 2, conflict: 2, verified: 0 });
    expect(stage().changesOf(tenant)).toEqual([]);
    expect(await kvNames(tenant, tenant.namespace)).toEqual(['taken']);

    await tenant.mergePatch('SecretMigration', 'rehearsal', { spec: { dryRun: false } });
    await tenant.untilReady('rehearsal', { status: 'False', reason: 'ConflictsFound' });
    expect(await statesOf(tenant, 'rehearsal')).toEqual({
      free: 'Verified',
      taken: 'Conflict DestinationDiffers',
    });
    expect(await kvMetadata(tenant, `${tenant.namespace}/taken`)).toMatchObject({ current_version: 1 });
  });
});

describe('the row of a document', () => {
  it('names the version of both sides and the incarnation that has it, also when the source is removed', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', fieldsOf('db')));
    const source = (await tenant.secret('db'))?.metadata;
    const path = `${tenant.namespace}/db`;
    await tenant.apply(aMigration('versions'));
    await tenant.untilReady('versions');
    const written = (await kvMetadata(tenant, path))?.versions['1'];
    const sides = {
      source: { version: source?.resourceVersion, identity: source?.uid },
      destination: { path, version: '1', identity: written?.created_time, created: true },
    };
    expect(source?.uid).toBeDefined();
    expect(written?.created_time).toBeDefined();
    for (const { source: from, destination } of await tenant.rows('versions'))
      expect({ source: from, destination }).toEqual(sides);

    await tenant.mergePatch('SecretMigration', 'versions', { spec: { sourcePolicy: 'Delete' } });
    await eventually('the source is removed', async () => (await tenant.secret('db')) === undefined);
    await tenant.untilReady('versions');
    await requestRun(tenant, 'versions');
    const rows = await tenant.rows('versions');
    expect(
      rows.map(({ state, source: from, destination }) => ({ state, source: from, destination })),
    ).toEqual(rows.map(() => ({ state: 'Removed', ...sides })));
    expect(rows).toHaveLength(2);
  });
});

describe('suspend', () => {
  it('keeps a migration from beginning until it is lifted', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', fieldsOf('db')));
    await tenant.apply(aMigration('asleep', { suspend: true }));
    const asleep = await tenant.untilReady('asleep', { status: 'Unknown', reason: 'Suspended' });
    expect(conditionOf(asleep, 'Suspended')).toMatchObject({ status: 'True', reason: 'Suspended' });
    expect(conditionOf(asleep, 'Reconciling')).toBeUndefined();
    expect(stage().changesOf(tenant)).toEqual([]);

    await tenant.mergePatch('SecretMigration', 'asleep', { spec: { suspend: false } });
    const awake = await tenant.untilReady('asleep', { status: 'True', reason: 'Completed' });
    expect(conditionOf(awake, 'Suspended')).toBeUndefined();
    expect(await wholeNames(tenant)).toEqual(['db']);
  });

  it('stops a run between two documents, shows how far it came, and lets it go on later', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc');
    using writes = holdWrites(stage(), tenant);
    await tenant.apply(aMigration('halted'));
    await writes.arrival;
    await untilNoticed(stage().operator, async () =>
      tenant.mergePatch('SecretMigration', 'halted', { spec: { suspend: true } }),
    );
    writes.open();
    const halted = await tenant.untilReady('halted', { status: 'Unknown', reason: 'Suspended' });
    await untilIdle(stage().operator);

    const written = await wholeNames(tenant);
    expect(written.length).toBe(writes.arrivals);
    expect(written.length).toBeLessThan(MANY);
    // What was never read counts as one row: its keys are not known.
    expect(halted.status.summary).toMatchObject({
      verified: 2 * written.length,
      pending: MANY - written.length,
    });

    await tenant.mergePatch('SecretMigration', 'halted', { spec: { suspend: false } });
    await tenant.untilReady('halted', { status: 'True', reason: 'Completed' });
    expect(await wholeNames(tenant)).toEqual(names);
  });
});

describe('a change of the spec in the middle of a run', () => {
  it('ends the run between two documents; the next one does what the new spec says', async () => {
    const tenant = await stage().tenant();
    await plantMany(tenant, 'old');
    const wanted = await plantMany(tenant, 'new', 3);
    using writes = holdWrites(stage(), tenant);
    await tenant.apply(aMigration('edited', { select: { prefix: 'old-' } }));
    await writes.arrival;
    await untilNoticed(stage().operator, async () =>
      tenant.mergePatch('SecretMigration', 'edited', { spec: { select: { prefix: 'new-' } } }),
    );
    writes.open();
    const done = await tenant.untilReady('edited', { status: 'True', reason: 'Completed' });

    expect(done.metadata.generation).toBe(2);
    expect(done.status).toMatchObject({ observedGeneration: 2, documents: 3, progress: '6/6' });
    expect(Object.keys(await statesOf(tenant, 'edited')).toSorted()).toEqual(wanted);
    const stored = await wholeNames(tenant);
    expect(stored.filter((name) => name.startsWith('new-'))).toEqual(wanted);
    expect(stored.filter((name) => name.startsWith('old-')).length).toBeLessThan(MANY);
  });
});

describe('deletion of a migration in the middle of its run', () => {
  it('leaves what is written and every source, and a new migration takes it from there', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc');
    using writes = holdWrites(stage(), tenant);
    await tenant.apply(aMigration('gone', { sourcePolicy: 'Delete' }));
    await writes.arrival;
    await untilMissed(stage().operator, async () => tenant.delete('SecretMigration', 'gone'));
    writes.open();
    await untilIdle(stage().operator);

    const left = await wholeNames(tenant);
    expect(left.length).toBe(writes.arrivals);
    expect(left.length).toBeLessThan(MANY);
    expect(await sourceNames(tenant)).toEqual(names);

    await tenant.apply(aMigration('gone', { sourcePolicy: 'Delete' }));
    const done = await tenant.untilReady('gone');
    expect(done.status.summary).toMatchObject({ total: 2 * MANY, removed: 2 * MANY });
    expect(await wholeNames(tenant)).toEqual(names);
    expect(await sourceNames(tenant)).toEqual([]);
  });

  it('stops the removal of sources, too: each value is in both places or at its destination', async () => {
    const tenant = await stage().tenant();
    const names = await plantMany(tenant, 'doc');
    using removals = holdRemovals(stage(), tenant);
    await tenant.apply(aMigration('gone', { sourcePolicy: 'Delete' }));
    await removals.arrival;
    await untilMissed(stage().operator, async () => tenant.delete('SecretMigration', 'gone'));
    removals.open();
    await untilIdle(stage().operator);

    expect(await wholeNames(tenant)).toEqual(names);
    const kept = await sourceNames(tenant);
    expect(kept.length).toBe(MANY - removals.arrivals);
    expect(kept.length).toBeGreaterThan(0);

    // No status remains: only an event and the log tell.
    const event = await eventOf(tenant, 'DeletedWhileRemoving');
    expect(event).toMatchObject({
      type: 'Warning',
      note: expect.stringContaining(`removed ${removals.arrivals}, left ${kept.length}.`),
    });
    const lines = stage().operator.logs().split('\n');
    const line = lines.find(
      (each) => each.includes(`${tenant.namespace}/gone`) && each.includes('deleted while it removed'),
    );
    expect(line).toContain(`"removed":${removals.arrivals},"left":${kept.length}`);
  });

  it('of the whole namespace neither stops the operator nor another tenant', async () => {
    const leaving = await stage().tenant();
    const names = await plantMany(leaving, 'doc');
    using writes = holdWrites(stage(), leaving);
    await leaving.apply(aMigration('gone', { sourcePolicy: 'Delete' }));
    await writes.arrival;
    await untilMissed(stage().operator, async () => leaving.cluster.deleteNamespace(leaving.namespace));
    writes.open();
    await untilIdle(stage().operator);
    const written = await wholeNames(leaving);
    expect(names).toEqual(expect.arrayContaining([...written]));

    const staying = await stage().tenant();
    await staying.apply(aSecret('db', fieldsOf('db')));
    await staying.apply(aMigration('out'));
    await staying.untilReady('out');
    expect(await kvData(staying, `${staying.namespace}/db`)).toEqual(fieldsOf('db'));
  });
});

describe('a migration whose listing never ends', () => {
  interface Ending {
    readonly how: string;
    readonly end: (tenant: Tenant) => Promise<void>;
  }
  const patched =
    (spec: object) =>
    async (tenant: Tenant): Promise<void> =>
      tenant.mergePatch('SecretMigration', 'stuck', { spec });

  it.each<Ending>([
    { how: 'deleted', end: async (tenant) => tenant.delete('SecretMigration', 'stuck') },
    { how: 'suspended', end: patched({ suspend: true }) },
    { how: 'edited', end: patched({ select: { names: ['none'], all: null } }) },
    { how: 'left without its backend', end: async (tenant) => tenant.delete('SecretBackend', 'bao') },
  ])('gives its worker back at once when it is $how', async ({ end }) => {
    await stage().restartOperator({ KEYFERRY_CONCURRENT_MIGRATIONS: '1' });
    const hostile = await stage().tenant();
    using listings = new Gate(stage().bao, { path: new RegExp(`^/v1/${hostile.mount}/metadata/`) });
    await hostile.apply(aMigration('stuck', { from: 'bao', to: 'kubernetes' }));
    await listings.arrival;
    const victim = await stage().tenant();
    await victim.apply(aSecret('db', fieldsOf('db')));
    await victim.apply(aMigration('waiting'));
    await eventually(
      'the victim waits',
      async () => (await victim.backend('bao')).status.identity !== undefined,
    );

    await end(hostile);
    await victim.untilReady('waiting', { status: 'True', reason: 'Completed' }, 2_000);
    expect(listings.arrivals).toBeGreaterThan(0);
  });

  it('leaves an operator that works as before', async () => {
    await stage().restartOperator();
    expect(stage().operator.isRunning).toBe(true);
  });
});
