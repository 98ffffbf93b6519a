import { describe, expect, it } from 'vitest';
import { ACKNOWLEDGE_IDENTITY_ANNOTATION } from '#src/api/group.ts';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { cloneKvServer } from '#test/cluster/kv-clone.ts';
import { eventually } from '#test/support/eventually.ts';
import { holdWrites } from '#test/support/gate.ts';
import { kvData, kvNames } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { fieldsOf, plantMany, wholeNames } from './documents.ts';

const stage = useStage();

/** Seconds until everything that uses a backend shows its trouble: far below the minute between two probes. */
const SHOWN_MS = 10_000;
const PROBE_INTERVAL_MS = 60_000;

async function readyOf(tenant: Tenant, name: string, reason: string) {
  return await eventually(`backend ${name} is ${reason}`, async () => {
    const { conditions = [] } = (await tenant.backend(name)).status;
    const ready = conditions.find(({ type }) => type === 'Ready');
    return ready?.reason === reason ? ready : undefined;
  });
}

/** Disables the mount of the tenant and enables it again: another store, at the place that the backend names. */
async function swapStore({ cluster, mount }: Tenant): Promise<void> {
  await cluster.bao('DELETE', `sys/mounts/${mount}`);
  await cluster.bao('POST', `sys/mounts/${mount}`, { type: 'kv', options: { version: '2' } });
}

/** A secret of its own, and a migration of it that was proven and waits for its soak. */
async function soaking(tenant: Tenant, name: string): Promise<void> {
  await tenant.apply(aSecret(name, fieldsOf(name)));
  await tenant.apply(
    aMigration(name, { select: { names: [name] }, sourcePolicy: 'Delete', soakSeconds: 86_400 }),
  );
  await tenant.untilReady(name, { status: 'Unknown', reason: 'AwaitingSoak' });
}

describe('a server that is sealed', () => {
  it('is one event: all its migrations show it at once, another server goes on, and the end is noticed', async () => {
    const tenant = await stage().tenant();
    const [another, third] = [await stage().tenant(), await stage().tenant()];
    for (const each of [tenant, another]) await soaking(each, 'waits');
    const clone = await cloneKvServer(tenant.cluster);
    const server = { mount: third.mount, caBundle: tenant.cluster.baoCaPem, address: clone.url };
    await third.apply(anOpenBaoBackend({ name: 'other', ...server }));
    await readyOf(third, 'other', 'Available');
    const names = await plantMany(tenant, 'doc');
    using writes = holdWrites(stage(), tenant);
    await tenant.apply(
      aMigration('runs', { select: { all: true, exclude: { names: ['bao-token', 'waits'] } } }),
    );
    await writes.arrival;
    await tenant.cluster.seal();
    const since = performance.now();
    writes.open();

    const shown = { status: 'False', reason: 'BackendNotReady' } as const;
    await tenant.untilReady('runs', shown, SHOWN_MS);
    await tenant.untilReady('waits', shown, SHOWN_MS);
    await third.apply(aSecret('db', fieldsOf('db')));
    await third.apply(aMigration('goes-on', { to: 'other' }));
    await third.untilReady('goes-on', { status: 'True', reason: 'Completed' }, SHOWN_MS);
    expect(performance.now() - since).toBeLessThan(PROBE_INTERVAL_MS / 2);

    await tenant.cluster.unseal();
    await tenant.untilReady('runs', { status: 'True', reason: 'Completed' }, PROBE_INTERVAL_MS);
    for (const each of [tenant, another])
      await each.untilReady('waits', { status: 'Unknown' }, PROBE_INTERVAL_MS);
    expect(await wholeNames(tenant)).toEqual([...names, 'waits']);
  });
});

describe('a store that was swapped', () => {
  it('is not written until its identity is acknowledged, and a change of another field does not do that', async () => {
    const tenant = await stage().tenant();
    await readyOf(tenant, 'bao', 'Available');
    const { identity: before } = (await tenant.backend('bao')).status;
    await swapStore(tenant);
    // Wakes the backend, as the next probe would.
    await tenant.mergePatch('SecretBackend', 'bao', { spec: { openbao: { requestTimeoutSeconds: 7 } } });
    const { message } = await readyOf(tenant, 'bao', 'BackendIdentityChanged');
    await tenant.apply(aSecret('db', fieldsOf('db')));
    await tenant.apply(aMigration('waits'));
    const waiting = await tenant.untilReady('waits', { status: 'False', reason: 'BackendNotReady' });
    expect(waiting.status.conditions?.[0]?.message).toContain('BackendIdentityChanged');
    expect((await tenant.backend('bao')).status.identity).toBe(before);
    expect(await kvNames(tenant, tenant.namespace)).toEqual([]);

    const command = /run: (kubectl .* --overwrite)\./.exec(message)?.[1] ?? '';
    const [, identity = ''] = /acknowledge-identity='(.*)'/.exec(command) ?? [];
    expect(command).toBe(
      `kubectl annotate secretbackend bao -n ${tenant.namespace} ${ACKNOWLEDGE_IDENTITY_ANNOTATION}='${identity}' --overwrite`,
    );
    const [, ...args] = command.replaceAll("'", '').split(' ');
    expect(await tenant.cluster.kubectl(args)).toMatchObject({ code: 0 });
    await tenant.untilReady('waits', { status: 'True', reason: 'Completed' });
    expect(await kvData(tenant, `${tenant.namespace}/db`)).toEqual(fieldsOf('db'));
    expect((await tenant.backend('bao')).status.identity).toBe(identity);
  });

  it('is noticed by a run that begins before the next probe, also after a restart of the operator', async () => {
    const tenant = await stage().tenant();
    await readyOf(tenant, 'bao', 'Available');
    await stage().operator.stop();
    await swapStore(tenant);
    await tenant.apply(aSecret('db', fieldsOf('db')));
    await tenant.apply(aMigration('waits'));
    await stage().restartOperator();
    await readyOf(tenant, 'bao', 'BackendIdentityChanged');
    await tenant.untilReady('waits', { status: 'False' });
    expect(await kvNames(tenant, tenant.namespace)).toEqual([]);
  });
});
