import { expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { kvData, rowsByName } from '#test/support/queries.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import { useStage } from '#test/support/stage.ts';

/* A watch of Secrets that was interrupted for longer than the API server remembers. */

const stage = useStage();

function isOfSecrets({ path }: RecordedRequest): boolean {
  return path === '/api/v1/secrets';
}

it('carries over what changed in Secrets, and notices those that were deleted, although no watch told of it', async () => {
  const tenant = await stage().tenant();
  const { cluster, namespace } = tenant;
  for (const name of ['a', 'b', 'c']) await tenant.apply(aSecret(name, { k: '1' }));
  await tenant.apply(aMigration('sync', { mode: 'Sync', sync: { intervalSeconds: 5 } }));
  await tenant.untilReady('sync', { status: 'True', reason: 'Synced' });
  const asked = stage().api.requests.length;

  const cut = stage().api.onRequest(isOfSecrets, { kind: 'drop-before' });
  await cluster.kill('apiserver');
  await cluster.restart('apiserver');
  await tenant.apply(aSecret('a', { k: '2' }));
  await tenant.apply(aSecret('d', { k: '1' }));
  await cluster.kube('DELETE', `/api/v1/namespaces/${namespace}/secrets/b`);
  cut.remove();

  const inKv = async (name: string) => kvData(tenant, `${namespace}/${name}`).catch(() => undefined);
  await eventually('the change has arrived', async () => (await inKv('a'))?.['k'] === '2', {
    deadlineMs: 90_000,
  });
  await eventually('the new Secret has arrived', async () => (await inKv('d'))?.['k'] === '1');
  await eventually('the row says that its Secret is gone', async () => {
    const rows = await rowsByName(tenant, 'sync');
    return rows['b']?.reason === 'SourceGone' && rows['c']?.state === 'Verified';
  });
  const sent = stage().api.requests.slice(asked).filter(isOfSecrets);
  const lists = sent.filter(({ query }) => !query.includes('watch=')).map(({ query }) => query);
  // The server did not know the version any more, and the operator listed no Secret of others for that.
  expect(new Set(lists)).toEqual(new Set(['limit=1']));
});
