import { expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { runCommand, type EndedCommand } from '#test/support/command-line.ts';
import { kvData, pathOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

const stage = useStage();

async function keyferry({ cluster, namespace }: Tenant, line: string): Promise<EndedCommand> {
  return await runCommand(line.split(' '), { cluster, namespace });
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
