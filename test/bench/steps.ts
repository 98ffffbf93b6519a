import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { aMigration } from '#test/builders/objects.ts';
import { uniqueName } from '#test/cluster/cluster.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { isReady, type MigrationWatch, type Seen } from './watch.ts';

/* What the operator is asked to do. Each resolves when the status says that it is done, for as many keys as it must be. */

const PUSH = 'push';
const PULL = 'pull';

/** Whose migration, and the keys of its documents. */
export interface Job {
  readonly tenant: Tenant;
  readonly watch: MigrationWatch;
  readonly keys: number;
}

type Migration = typeof PUSH | typeof PULL;

async function until(job: Job, migration: Migration, check: (seen: Seen) => boolean): Promise<void> {
  const key = `${job.tenant.namespace}/${migration}`;
  await job.watch.until(job.keys, (all) => {
    const seen = all.get(key);
    return seen !== undefined && check(seen);
  });
}

function isDone(state: 'verified' | 'removed', { keys }: Job): (seen: Seen) => boolean {
  return (seen) => isReady(seen) && seen.status?.summary?.[state] === keys;
}

/** All Secrets of the tenant to its folder in KV. */
export async function push(job: Job): Promise<void> {
  await job.tenant.apply(aMigration(PUSH));
  await until(job, PUSH, isDone('verified', job));
}

/** All documents of its folder to Secrets. */
export async function pull(job: Job): Promise<void> {
  await job.tenant.apply(aMigration(PULL, { from: 'bao', to: 'kubernetes', select: { all: true } }));
  await until(job, PULL, isDone('verified', job));
}

/** Another run where nothing changed. */
export async function again(job: Job, migration: Migration): Promise<void> {
  const token = uniqueName('run');
  const annotations = { [RECONCILE_REQUESTED_ANNOTATION]: token };
  await job.tenant.mergePatch('SecretMigration', migration, { metadata: { annotations } });
  const isNew = (seen: Seen): boolean => seen.status?.lastHandledReconcileAt === token;
  await until(job, migration, (seen) => isNew(seen) && isDone('verified', job)(seen));
}

/** The Secrets go, whose copies were verified. */
export async function removal(job: Job): Promise<void> {
  await job.tenant.mergePatch('SecretMigration', PUSH, { spec: { sourcePolicy: 'Delete' } });
  await until(job, PUSH, isDone('removed', job));
}
