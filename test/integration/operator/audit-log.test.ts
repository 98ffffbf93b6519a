import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { Tenant } from '#test/support/tenant.ts';
import { conditionOf, kvData, kvNames, pathOf } from '#test/support/queries.ts';

/* claude-hooks TOK-1 (reference peers.md §1.5): who read which value is on record, and nothing is read unseen. */

const LineSchema = z.object({
  stream: z.literal('audit'),
  sequence: z.number(),
  operation: z.string(),
  migration: z.object({ namespace: z.string(), name: z.string() }).optional(),
  backend: z.object({ name: z.string() }),
  path: z.string().optional(),
  address: z.string().optional(),
  credential: z.object({ kind: z.string(), namespace: z.string(), name: z.string() }).optional(),
  keys: z.array(z.string()).optional(),
  outcome: z.string(),
});
type Line = z.output<typeof LineSchema>;

let cluster: Cluster;
let folder: string;

beforeAll(async () => {
  cluster = await startCluster({ report: () => undefined });
  await cluster.installKeyferry();
  folder = mkdtempSync(join(tmpdir(), 'keyferry-audit-'));
});

afterAll(async () => {
  await cluster.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function anOperator(auditLog: string): Promise<OperatorProcess> {
  return await startOperator(cluster, { args: [`--audit-log=${auditLog}`, '--leader-election=false'] });
}

function linesOf(text: string): readonly Line[] {
  const lines = text.split('\n').filter((line) => line.includes('"stream":"audit"'));
  return lines.map((line) => LineSchema.parse(JSON.parse(line)));
}

function tellOf({ operation, backend, address, credential, path, keys, outcome }: Line): string {
  const what = credential && `${credential.kind} ${credential.namespace}/${credential.name}`;
  const about = [address, what, path].filter((each) => each !== undefined);
  return [operation, backend.name, ...about, ...(keys ?? []), outcome].join(' ');
}

it('has a line for every access of a migration, by names, and never a value', async () => {
  const file = join(folder, 'audit.log');
  await using _operator = await anOperator(file);
  const tenant = await Tenant.create(cluster);
  await tenant.apply(aSecret('db', { user: 'canary-user', password: 'canary-password' }));
  await tenant.apply(aMigration('moving', { sourcePolicy: 'Delete' }));
  await tenant.untilReady('moving');

  const text = readFileSync(file, 'utf8');
  const lines = linesOf(text);
  const path = `${tenant.namespace}/db`;
  expect(lines.map(tellOf)).toEqual(
    expect.arrayContaining([
      'read kubernetes db password user present',
      `write bao ${path} password user done`,
      `read bao ${path} password user present`,
      'delete kubernetes db done',
    ]),
  );
  expect(lines.map(({ sequence }) => sequence)).toEqual(lines.map((_, index) => index + 1));
  const { namespace } = tenant;
  for (const line of lines.filter(({ address }) => address === undefined))
    expect(line.migration).toMatchObject({ namespace, name: 'moving' });
  expect(lines.filter(({ address }) => address !== undefined).map(tellOf)).toEqual([
    `readCredential bao ${cluster.baoUrl} Secret ${namespace}/bao-token token done`,
    `login bao ${cluster.baoUrl} auth/token/lookup-self done`,
  ]);
  expect(text).not.toContain('canary');
  expect(text).not.toContain(Buffer.from('canary-password').toString('base64'));
});

it('stands on standard output among the lines of the ordinary log, as JSON of its own', async () => {
  await using operator = await anOperator('stdout');
  const tenant = await Tenant.create(cluster);
  for (let index = 0; index < 20; index += 1) await tenant.apply(aSecret(`s${index}`, { k: 'v' }));
  await tenant.apply(aMigration('moving', {}));
  await tenant.untilReady('moving');
  for (const line of operator.logs().trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  const written = linesOf(operator.logs()).filter(({ operation }) => operation === 'write');
  expect(written.map(({ path }) => path ?? '').toSorted()).toEqual(
    Array.from({ length: 20 }, (_, index) => `${tenant.namespace}/s${index}`).toSorted(),
  );
});

it('stops the work while it cannot be written, is not ready, and goes on with nothing lost', async () => {
  const file = join(folder, 'blocked.log');
  await using operator = await anOperator(file);
  // Somebody rotated it and put something else in its place.
  renameSync(file, `${file}.1`);
  mkdirSync(file);
  const tenant = await Tenant.create(cluster);
  await tenant.apply(aSecret('db', { password: 'p' }));
  await tenant.apply(aMigration('moving', {}));
  await eventually('work is blocked', async () =>
    /^secretmigration_audit_blocked 1$/m.test(await operator.metrics()),
  );
  expect(await statusOf(`${operator.healthUrl}/readyz`)).toBe(503);
  expect(await statusOf(`${operator.healthUrl}/healthz`)).toBe(200);
  expect(operator.logs().match(/audit log blocked; accesses wait/g)).toHaveLength(1);
  expect(await kvNames(tenant, tenant.namespace)).toEqual([]);

  rmdirSync(file);
  await tenant.untilReady('moving');
  const lines = linesOf(readFileSync(file, 'utf8'));
  expect(lines.map(({ sequence }) => sequence)).toEqual(lines.map((_, index) => index + 1));
  expect(lines.map(tellOf)).toContain('read kubernetes db password present');
  expect(await statusOf(`${operator.healthUrl}/readyz`)).toBe(200);
});

it('shows in the status of a migration that it waits for the log, and goes on when it can be written', async () => {
  const file = join(folder, 'waiting.log');
  await using _operator = await anOperator(file);
  const tenant = await Tenant.create(cluster);
  await tenant.apply(aSecret('db', { password: 'p' }));
  await tenant.apply(aMigration('moving', {}));
  await tenant.untilReady('moving', { status: 'True', reason: 'Completed' });
  renameSync(file, `${file}.1`);
  mkdirSync(file);
  await tenant.apply(aSecret('db', { password: 'another' }));
  await tenant.mergePatch('SecretMigration', 'moving', {
    metadata: { annotations: { [RECONCILE_REQUESTED_ANNOTATION]: 'now' } },
    spec: { conflictPolicy: 'Overwrite' },
  });
  const waiting = await tenant.untilReady('moving', { status: 'False', reason: 'AuditLogBlocked' });
  expect(conditionOf(waiting, 'Ready')?.message).toContain(
    'work resumes automatically and no record is lost',
  );
  expect(conditionOf(waiting, 'Reconciling')?.status).toBe('True');
  expect(conditionOf(waiting, 'Stalled')).toBeUndefined();

  rmdirSync(file);
  const done = await tenant.untilReady('moving', { status: 'True', reason: 'Completed' });
  expect(conditionOf(done, 'Reconciling')).toBeUndefined();
  expect(await kvData(tenant, pathOf(tenant, 'db'))).toEqual({ password: 'another' });
});

async function statusOf(url: string): Promise<number> {
  return (await fetch(url)).status;
}

it('is refused in one sentence when it cannot be what was asked for', async () => {
  const operator = await startOperator(cluster, { args: ['--audit-log=/no/such/folder/a'], skipReady: true });
  expect(await operator.exited).toMatchObject({ code: 2 });
  expect(operator.logs()).toContain(
    'keyferry: Invalid flags or environment variables. The audit log cannot be opened (--audit-log=/no/such/folder/a). Create its folder, and use a file that is not a link.',
  );
});
