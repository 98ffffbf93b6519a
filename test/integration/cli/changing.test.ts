import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { dump } from 'js-yaml';
import { TEMPORARY_LABEL } from '#src/api/group.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import {
  runCommand,
  runOnTerminal,
  startCommand,
  type EndedCommand,
  type RunningCommand,
} from '#test/support/command-line.ts';
import { eventually } from '#test/support/eventually.ts';
import { kvData, kvMetadata, kvPut, pathOf, versionOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

/* The commands that change something or plan, as processes in a pipe, against real servers and an operator. */

const stage = useStage();

async function keyferry(tenant: Tenant, line: string, input = ''): Promise<EndedCommand> {
  const { cluster, namespace } = tenant;
  return await runCommand(line.split(' '), { cluster, namespace, input });
}

function start(tenant: Tenant, line: string, input = ''): RunningCommand {
  const { cluster, namespace } = tenant;
  return startCommand(line.split(' '), { cluster, namespace, input });
}

async function temporaryOnes(tenant: Tenant): Promise<readonly string[]> {
  const line = `get secretmigrations -n ${tenant.namespace} -o name -l ${TEMPORARY_LABEL}=plan`;
  const { stdout } = await tenant.cluster.kubectl(line.split(' '));
  return stdout.split('\n').filter((line) => line !== '');
}

/** A tenant with a Secret that is new, one that the destination has, and one that differs there. */
async function threeSecrets(): Promise<Tenant> {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('absent', { k: 'one' }));
  await tenant.apply(aSecret('equal', { k: 'two' }));
  await tenant.apply(aSecret('other', { k: 'three' }));
  await kvPut(tenant, pathOf(tenant, 'equal'), { k: 'two' });
  await kvPut(tenant, pathOf(tenant, 'other'), { k: 'of another program' });
  return tenant;
}

const NAMES = ['absent', 'equal', 'other'];

describe('plan', () => {
  it('shows what a manifest would do, changes nothing and leaves nothing', async () => {
    const tenant = await threeSecrets();
    const manifest = dump(aMigration('move', { select: { names: NAMES }, sourcePolicy: 'Delete' }));
    const planned = await keyferry(tenant, 'plan -f -', manifest);
    expect(planned.err).toBe('');
    expect(planned.code).toBe(2);
    expect(planned.out).toMatch(/^conflict: other: DestinationDiffers: /);
    for (const line of [
      /^create +absent +\S+\/absent +k/m,
      /^adopt +equal /m,
      /^conflict +other .*DestinationDiffers/m,
    ])
      expect(planned.out).toMatch(line);
    expect(planned.out).toContain('Plan: 1 to create, 1 to adopt, 1 conflict, 2 sources to remove.');
    expect(planned.out).not.toMatch(/one|of another program/);
    expect(await temporaryOnes(tenant)).toEqual([]);
    expect(await kvMetadata(tenant, pathOf(tenant, 'absent'))).toBeUndefined();
    expect(stage().changesOf(tenant)).toEqual([]);
  });

  it('shows a wrong manifest in the words of the API server', async () => {
    const tenant = await stage().tenant();
    const select = { names: ['a'], prefix: 'b' };
    const wrong = await keyferry(tenant, 'plan -f -', dump(aMigration('move', { select })));
    expect(wrong.code).toBe(1);
    expect(wrong.err).toContain('spec.select: set exactly one of names, labelSelector, prefix and all');
    const known = aMigration('move');
    const misspelt = { ...known, spec: { ...known.spec, select: { unknownField: true } } };
    expect((await keyferry(tenant, 'plan -f -', dump(misspelt))).err).toContain(
      'unknown field "spec.select.unknownField"',
    );
  });

  it('leaves nothing at Ctrl-C, while no operator answers', async () => {
    const tenant = await stage().tenant();
    await stage().operator.pause();
    try {
      const { child, ended } = start(tenant, 'plan -f -', dump(aMigration('move')));
      await eventually('the dry run is there', async () => (await temporaryOnes(tenant)).length === 1);
      child.kill('SIGINT');
      expect((await ended).code).toBe(1);
      expect(await temporaryOnes(tenant)).toEqual([]);
    } finally {
      stage().operator.resume();
    }
  });
});

describe('migrate', () => {
  it('copies what it names, waits, and then there is nothing to do', async () => {
    const tenant = await threeSecrets();
    const done = await keyferry(
      tenant,
      'migrate --from kubernetes --to bao --names absent,equal --name move --wait',
    );
    expect([done.code, done.out]).toEqual([0, 'secretmigration.keyferry.io/move created\n']);
    expect(await kvData(tenant, pathOf(tenant, 'absent'))).toEqual({ k: 'one' });
    expect(await tenant.secret('absent')).toBeDefined();
    const plan = await keyferry(tenant, 'plan move');
    expect([plan.code, plan.out]).toEqual([0, '']);
    expect(plan.err).toContain('has completed');
  });

  it('ends with 1 at a conflict; retry ends with 0 after it is gone', async () => {
    const tenant = await threeSecrets();
    const line = 'migrate --from secretbackend/kubernetes --to bao --names other --name move --wait';
    const conflict = await keyferry(tenant, line);
    expect(conflict.code).toBe(1);
    expect(conflict.err).toContain('ConflictsFound');
    await kvPut(tenant, pathOf(tenant, 'other'), { k: 'three' });
    const again = await keyferry(tenant, 'retry move --wait --timeout 30s');
    expect([again.code, again.out]).toEqual([0, 'secretmigration.keyferry.io/move run requested\n']);
  });

  it('writes a manifest that kubectl applies', async () => {
    const tenant = await threeSecrets();
    const flags = 'migrate --from kubernetes --to bao --selector team=payments --exclude tmp-* -o yaml';
    const { code, out } = await keyferry(tenant, flags);
    expect(code).toBe(0);
    const applied = await tenant.cluster.kubectl(['apply', '-f', '-'], { input: out });
    expect(applied.stdout).toBe('secretmigration.keyferry.io/kubernetes-to-bao created\n');
  });

  it('asks on a terminal before sources are removed', async () => {
    const tenant = await threeSecrets();
    const { cluster, namespace } = tenant;
    const line = 'migrate --from kubernetes --to bao --names absent --name move --delete-source'.split(' ');
    const refused = await runOnTerminal(line, { cluster, namespace, input: 'n\n' });
    expect(refused.out).toContain('Each source is removed as soon as its copy is proven. Migrate? [y/N]');
    expect([refused.code, refused.out]).toEqual([1, expect.stringContaining('Nothing was created.')]);
    const agreed = await runOnTerminal(line, { cluster, namespace, input: 'y\n' });
    expect([agreed.code, agreed.out]).toEqual([0, expect.stringContaining('move created')]);
  });

  it('says what is wrong with a backend before anything is created', async () => {
    const tenant = await stage().tenant();
    const { code, err } = await keyferry(tenant, 'migrate --from kubernetes --to vault --all');
    expect(code).toBe(1);
    expect(err).toContain(`There is no SecretBackend vault in the namespace ${tenant.namespace}`);
  });
});

describe('undo', () => {
  it('brings a moved Secret back byte for byte, takes the copy away, and says how it ended', async () => {
    const tenant = await stage().tenant();
    const labels = { team: 'payments' };
    const bytes = randomBytes(500);
    await tenant.apply(aSecret('db', { user: 'app', bytes }, { labels, immutable: true }));
    const before = await tenant.secret('db');
    await tenant.apply(aMigration('move', { select: { names: ['db'] }, sourcePolicy: 'Delete' }));
    await tenant.untilReady('move', { reason: 'Completed' });
    expect(await tenant.secret('db')).toBeUndefined();

    const unconfirmed = await keyferry(tenant, 'undo move');
    expect([unconfirmed.code, unconfirmed.out]).toEqual([1, '']);
    expect(unconfirmed.err).toContain('2 removed keys come back at the source');
    expect(unconfirmed.err).toContain('confirm with -y');

    const done = await keyferry(tenant, 'undo move -y --wait --timeout 60s');
    expect([done.code, done.out]).toEqual([0, 'secretmigration.keyferry.io/move undo requested\n']);
    expect(done.err).toMatch(/^Undone: /m);
    const after = await tenant.secret('db');
    for (const member of ['data', 'type', 'immutable'] as const)
      expect([member, after?.[member]]).toEqual([member, before?.[member]]);
    expect(after?.metadata.labels).toEqual(labels);
    expect(Buffer.from(after?.data?.['bytes'] ?? '', 'base64').equals(bytes)).toBe(true);
    const copy = await kvMetadata(tenant, pathOf(tenant, 'db'));
    expect(copy?.versions[copy.current_version]?.deletion_time).not.toBe('');

    const again = await keyferry(tenant, 'undo move -y --wait --timeout 60s');
    expect([again.code, again.out]).toEqual([0, '']);
    expect(again.err).toContain('is being undone already');
  });

  it('ends with 1 where something stays, and says what and why', async () => {
    const tenant = await stage().tenant();
    await tenant.apply(aSecret('db', { k: 'moved' }));
    await tenant.apply(aMigration('move', { select: { names: ['db'] }, sourcePolicy: 'Delete' }));
    await tenant.untilReady('move', { reason: 'Completed' });
    await kvPut(tenant, pathOf(tenant, 'db'), { k: 'rotated' });
    const done = await keyferry(tenant, 'undo move -y --wait --timeout 60s');
    expect([done.code, done.out]).toEqual([1, 'secretmigration.keyferry.io/move undo requested\n']);
    expect(done.err).toMatch(/^UndoIncomplete: .*"db" \(DestinationChanged\)/m);
    expect(await kvData(tenant, pathOf(tenant, 'db'))).toEqual({ k: 'rotated' });
  });
});

describe('resolve', () => {
  it('ends a conflict for the versions that the row shows', async () => {
    const tenant = await threeSecrets();
    await tenant.apply(aMigration('sync', { mode: 'Sync', select: { names: ['other'] } }));
    await tenant.untilReady('sync', { status: 'False', reason: 'ConflictsFound' });
    const done = await keyferry(tenant, 'resolve sync other --keep source');
    expect(done.code).toBe(0);
    expect(done.err).toMatch(/other +\S+\/other +DestinationDiffers +version \d+ +version 1/);
    await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
    expect(await kvData(tenant, pathOf(tenant, 'other'))).toEqual({ k: 'three' });
    expect(await versionOf(tenant, 'other')).toBe(2);
    const again = await keyferry(tenant, 'resolve sync other --keep source');
    expect([again.code, again.out]).toEqual([1, '']);
    expect(again.err).toContain('other is not in conflict: it is Verified');
  });
});
