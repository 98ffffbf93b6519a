import { expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import type { KubectlResult } from '#test/cluster/kubectl.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { fieldsOf } from './documents.ts';
import { holdStatus, holdWrites } from '#test/support/gate.ts';
import { kvData, kvNames } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';

const stage = useStage();

const SELECTION_OF_ONE = { names: ['first'] };
const SELECTION_OF_TWO = { names: ['first', 'second'] };

/** Runs `kubectl wait` for the migration. */
async function kubectlWait(
  tenant: Tenant,
  migration: string,
  wish: { readonly for: string; readonly more?: readonly string[] },
): Promise<KubectlResult> {
  const { cluster, namespace } = tenant;
  const object = [`secretmigration/${migration}`, '-n', namespace, '--timeout=60s'];
  return await cluster.kubectl(['wait', `--for=${wish.for}`, ...object, ...(wish.more ?? [])]);
}

/** A running `kubectl wait` that has read the object, found the condition unmet and watches it now. */
class Waiting {
  readonly end: Promise<KubectlResult>;
  hasReturned = false;

  private constructor(end: Promise<KubectlResult>) {
    this.end = end.finally(() => (this.hasReturned = true));
  }

  /** Runs it through the recording proxy, which sees its watch; by token, since certificates end there. */
  static async start(tenant: Tenant, migration: string): Promise<Waiting> {
    const { api } = stage();
    const path = new RegExp(`/${tenant.namespace}/secretmigrations$`);
    const token = await tenant.cluster.requestToken(OPERATOR_ACCOUNT.namespace, OPERATOR_ACCOUNT.name);
    const more = ['--server', api.url, '--token', token];
    const waiting = new Waiting(kubectlWait(tenant, migration, { for: 'condition=Ready', more }));
    const isItsWatch = { method: 'GET', path, query: /watch=/ };
    await eventually('kubectl watches', () => waiting.hasReturned || api.count(isItsWatch) > 0);
    return waiting;
  }
}

/** What a wait looks for that sees the mere word in the condition, whatever generation it is about. */
const ANY_TRUE = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True';

it('kubectl wait returns when every document is at its destination, and not before', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('first', fieldsOf('first')));
  using writes = holdWrites(stage(), tenant);
  await tenant.apply(aMigration('move', { select: SELECTION_OF_ONE }));
  await writes.arrival;
  const waiting = await Waiting.start(tenant, 'move');
  expect(waiting.hasReturned).toBe(false);
  expect(await kvNames(tenant, tenant.namespace)).toEqual([]);

  writes.open();
  expect(await waiting.end).toMatchObject({ code: 0, stdout: expect.stringContaining('condition met') });
  expect(await kvData(tenant, `${tenant.namespace}/first`)).toEqual(fieldsOf('first'));
});

it('kubectl wait does not take the Ready of the old spec for that of the new one', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('first', fieldsOf('first')));
  await tenant.apply(aSecret('second', fieldsOf('second')));
  await tenant.apply(aMigration('move', { select: SELECTION_OF_ONE }));
  await tenant.untilReady('move');

  using status = holdStatus(stage(), tenant, 'move');
  using writes = holdWrites(stage(), tenant);
  await tenant.mergePatch('SecretMigration', 'move', { spec: { select: SELECTION_OF_TWO } });
  const waiting = await Waiting.start(tenant, 'move');
  // The operator has not said a word yet: Ready still is True, of generation 1.
  expect(await kubectlWait(tenant, 'move', { for: ANY_TRUE })).toMatchObject({ code: 0 });
  expect(waiting.hasReturned).toBe(false);

  // Now it has, and is at work.
  status.open();
  await writes.arrival;
  await tenant.untilReady('move', { status: 'Unknown', reason: 'Progressing' });
  expect(waiting.hasReturned).toBe(false);
  expect(await kvNames(tenant, tenant.namespace)).toEqual(['first']);

  writes.open();
  expect(await waiting.end).toMatchObject({ code: 0, stdout: expect.stringContaining('condition met') });
  const { metadata, status: shown } = await tenant.migration('move');
  expect([metadata.generation, shown.observedGeneration]).toEqual([2, 2]);
  expect(await kvData(tenant, `${tenant.namespace}/second`)).toEqual(fieldsOf('second'));
});

it('kubectl wait after a requested run waits for the verdict of that run by its token', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('first', fieldsOf('first')));
  await tenant.apply(aMigration('again'));
  await tenant.untilReady('again');
  await tenant.apply(aSecret('second', fieldsOf('second')));

  const { cluster, namespace } = tenant;
  const annotation = 'keyferry.io/reconcile-requested-at=now-1';
  await cluster.kubectl(['annotate', 'secretmigration/again', '-n', namespace, annotation]);
  const waited = await kubectlWait(tenant, 'again', {
    for: 'jsonpath={.status.lastHandledReconcileAt}=now-1',
  });
  expect(waited).toMatchObject({ code: 0 });
  expect(await kvData(tenant, `${namespace}/second`)).toEqual(fieldsOf('second'));
});

it('kubectl wait for Stalled returns when a conflict ends the run and ends with the change of the spec', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('first', fieldsOf('first')));
  const taken = { data: { other: 'value' }, options: { cas: 0 } };
  await tenant.cluster.bao('POST', `${tenant.mount}/data/${tenant.namespace}/first`, taken);
  await tenant.apply(aMigration('move', { select: SELECTION_OF_ONE }));
  expect(await kubectlWait(tenant, 'move', { for: 'condition=Stalled' })).toMatchObject({ code: 0 });
  await tenant.untilReady('move', { status: 'False', reason: 'ConflictsFound' });

  await tenant.mergePatch('SecretMigration', 'move', { spec: { conflictPolicy: 'Overwrite' } });
  expect(await kubectlWait(tenant, 'move', { for: 'condition=Ready' })).toMatchObject({ code: 0 });
  const { status } = await tenant.migration('move');
  expect(status.conditions?.map(({ type }) => type)).toEqual(['Ready', 'Succeeded']);
});
