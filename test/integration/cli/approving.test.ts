import { expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { runCommand, type EndedCommand } from '#test/support/command-line.ts';
import { kvData, pathOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aUser, type User } from '#test/support/users.ts';

const stage = useStage();

async function keyferry(
  { cluster, namespace }: Tenant,
  line: string,
  kubeconfig = cluster.kubeconfigPath,
): Promise<EndedCommand> {
  return await runCommand(line.split(' '), { cluster, namespace, kubeconfig });
}

/** A user of the namespace who may move Secrets and write migrations, with these verbs on migrations besides. */
async function anEditor({ cluster, namespace }: Tenant, ...verbs: readonly string[]): Promise<User> {
  const apiGroups = ['keyferry.io'];
  const resources = ['secretmigrations'];
  const rights = [
    { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'create', 'delete', 'patch'] },
    { apiGroups, resources, verbs: [...verbs, 'get', 'patch'] },
  ];
  return await aUser(cluster, namespace, { namespace, rights });
}

it('approves exactly the plan that was read', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('absent', { k: 'one' }));
  const approval = { required: true };
  await tenant.apply(aMigration('move', { select: { names: ['absent'] }, sourcePolicy: 'Delete', approval }));
  await tenant.untilReady('move', { status: 'False', reason: 'AwaitingApproval' });

  const planned = await keyferry(tenant, 'plan move');
  expect(planned.code).toBe(2);
  expect(planned.out).toMatch(/^create +absent +\S+\/absent +k +remove$/m);
  const digest = /^Digest: (.*)$/m.exec(planned.out)?.[1] ?? '';
  expect((await keyferry(tenant, 'approve move')).err).toContain('this is not a terminal');
  expect((await keyferry(tenant, 'approve move --digest another')).err).toContain('has another plan');

  const approved = await keyferry(tenant, `approve move --digest ${digest}`);
  expect([approved.code, approved.out]).toEqual([0, 'secretmigration.keyferry.io/move approved\n']);
  await tenant.untilReady('move', { status: 'True', reason: 'Completed' });
  expect(await kvData(tenant, pathOf(tenant, 'absent'))).toEqual({ k: 'one' });
});

it('takes back what was approved only for a user who may approve', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('db', { k: 'one' }));
  const approval = { required: true };
  await tenant.apply(aMigration('move', { select: { names: ['db'] }, sourcePolicy: 'Delete', approval }));
  await tenant.untilReady('move', { status: 'False', reason: 'AwaitingApproval' });
  expect((await keyferry(tenant, 'approve move -y')).code).toBe(0);
  await tenant.untilReady('move', { status: 'True', reason: 'Completed' });
  await using editor = await anEditor(tenant);
  await using approver = await anEditor(tenant, 'approve');

  const undo = 'undo move -y --wait --timeout 60s';
  const refused = await keyferry(tenant, undo, editor.kubeconfig());
  expect([refused.code, refused.out]).toEqual([1, '']);
  expect(refused.err).toContain(`may not approve SecretMigration ${tenant.namespace}/move`);
  expect(refused.err).toContain('spec.undo while it is required');
  expect(await tenant.secret('db')).toBeUndefined();

  const done = await keyferry(tenant, undo, approver.kubeconfig());
  expect([done.code, done.out]).toEqual([0, 'secretmigration.keyferry.io/move undo requested\n']);
  expect(done.err).toMatch(/^Undone: /m);
  expect((await tenant.secret('db'))?.data).toEqual({ k: Buffer.from('one').toString('base64') });
});
