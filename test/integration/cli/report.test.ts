import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runProgram } from '#src/cli/program.ts';
import type { Evidence } from '#src/cli/report/evidence.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { fakeTerminal } from '#test/support/fake-terminal.ts';
import { kvPut, pathOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';

const stage = useStage();

/** A value that would be found in every form of the report. */
const VALUE = 'correct-horse-battery-staple';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Carries out a command line. */
async function run(...argv: readonly string[]): Promise<Ran> {
  const { err, invocation, out } = fakeTerminal({ clock: systemClock });
  const code = await runProgram(argv, { ...invocation, version: '0.1.0' }, 'keyferry');
  return { code, out: out(), err: err() };
}

/** The same in the namespace of a tenant, as its administrator. */
async function keyferry({ cluster, namespace }: Tenant, ...argv: readonly string[]): Promise<Ran> {
  return run(...argv, '--kubeconfig', cluster.kubeconfigPath, '-n', namespace);
}

/** `mine` is moved, `equal` is adopted, `taken` is in conflict, and two are excluded. */
async function aMovedTenant(): Promise<Tenant> {
  const tenant = await stage().tenant();
  for (const name of ['mine', 'equal', 'taken', 'left'])
    await tenant.apply(aSecret(name, { password: VALUE }));
  await kvPut(tenant, pathOf(tenant, 'equal'), { password: VALUE });
  await kvPut(tenant, pathOf(tenant, 'taken'), { password: 'other' });
  await tenant.apply(
    aMigration('payments', { select: { all: true, exclude: { names: ['bao-token', 'left'] } } }),
  );
  await tenant.untilReady('payments', { status: 'False', reason: 'ConflictsFound' });
  return tenant;
}

describe('keyferry report', () => {
  it('accounts for every document of a real run, says who wrote the migration, and has no value', async () => {
    const tenant = await aMovedTenant();
    const { code, out } = await keyferry(tenant, 'report', 'payments', '--json');
    const report: Evidence = JSON.parse(out);
    expect(code).toBe(0);
    expect(report.balance).toEqual({ isBalanced: true, problems: [] });
    const { migrated, adopted, migratedOrAdopted } = report.totals;
    expect(migrated + adopted + migratedOrAdopted).toBe(2);
    expect(report.totals).toMatchObject({
      discovered: 5,
      failed: 1,
      excluded: 2,
      skipped: 0,
      held: 0,
      pending: 0,
    });
    expect(report.operator.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(report.writers.map(({ manager }) => manager)).toContain('test');
    const identities = report.backends.map(({ side, name, identity }) => [side, name, typeof identity]);
    expect(identities).toEqual([
      ['source', 'kubernetes', 'string'],
      ['destination', 'bao', 'string'],
    ]);
    expect(out).not.toContain(Buffer.from(VALUE).toString('base64'));
    expect(out).not.toContain(VALUE);
  });

  it('writes a page that report verify accepts, never over another file, and finds an edit', async () => {
    const tenant = await aMovedTenant();
    await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-report-'));
    const file = join(folder.path, 'payments.html');
    const made = await keyferry(tenant, 'report', 'payments', '--html', '-f', file);
    expect(made).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\S+: 5 documents discovered, 3 keys\nhead of the chain: [0-9a-f]{64}\n$/),
    });
    const again = await keyferry(tenant, 'report', 'payments', '--html', '-f', file);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('a report is never overwritten') });
    expect(await run('report', 'verify', file)).toMatchObject({
      code: 0,
      out: expect.stringContaining(made.out.trimEnd().split('\n').at(-1) ?? ''),
    });
    const edited = join(folder.path, 'edited.html');
    const page = readFileSync(file, 'utf8');
    writeFileSync(edited, page.replace('"state":"Conflict"', '"state":"Verified"'));
    expect(await run('report', 'verify', edited)).toMatchObject({
      code: 1,
      err: expect.stringContaining('(taken password) breaks the chain'),
    });
  });

  it('says that a table with rows of another writer does not balance', async () => {
    const tenant = await aMovedTenant();
    await stage().operator.pause();
    try {
      const { status } = await tenant.migration('payments');
      const path = `/apis/keyferry.io/v1alpha1/namespaces/${tenant.namespace}/secretmigrations/payments/status`;
      const patch = { status: { keys: status.keys?.slice(1) } };
      await tenant.cluster.kube('PATCH', path, patch, { 'content-type': 'application/merge-patch+json' });
      const { code, err } = await keyferry(tenant, 'report', 'payments', '--json');
      expect(code).toBe(1);
      expect(err).toContain('DOES NOT BALANCE');
    } finally {
      stage().operator.resume();
    }
  });

  it('says what to look for when there is no such migration', async () => {
    const { code, err } = await keyferry(await stage().tenant(), 'report', 'nothing', '--json');
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringContaining('There is no SecretMigration nothing'),
    });
  });
});

describe('keyferry report of an approved migration', () => {
  it('says which program approved which plan, and when, also after it changed something else', async () => {
    const tenant = await stage().tenant();
    for (const name of ['db', 'smtp']) await tenant.apply(aSecret(name, { password: VALUE }));
    const spec = { select: { names: ['db', 'smtp'] }, approval: { required: true } };
    await tenant.apply(aMigration('payments', { ...spec, sourcePolicy: 'Delete' }));
    const waiting = await tenant.untilReady('payments', { status: 'False', reason: 'AwaitingApproval' });
    const digest = waiting.status.plan?.digest;
    expect(await keyferry(tenant, 'approve', 'payments', '-y')).toMatchObject({ code: 0 });
    await tenant.untilReady('payments', { status: 'True', reason: 'Completed' });

    await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-report-'));
    const made = async (file: string): Promise<Evidence> => {
      const path = join(folder.path, file);
      const written = await keyferry(tenant, 'report', 'payments', '--json', '-f', path);
      expect(written).toMatchObject({ code: 0 });
      expect(await run('report', 'verify', path)).toMatchObject({ code: 0 });
      return JSON.parse(readFileSync(path, 'utf8'));
    };
    const { approval, balance, totals } = await made('approved.json');
    expect(approval).toMatchObject({
      required: true,
      approvedDigest: digest,
      manager: 'keyferry-cli-approve',
    });
    expect(approval.planDigest).toBeUndefined();
    expect(balance).toEqual({ isBalanced: true, problems: [] });
    expect(totals).toMatchObject({ discovered: 2, migrated: 2, failed: 0, held: 0, pending: 0 });

    // In another second: the API server records no more of a time.
    await eventually('the second is over', () => Date.now() - Date.parse(approval.time ?? '') > 1000);
    expect(await keyferry(tenant, 'retry', 'payments', '--wait')).toMatchObject({ code: 0 });
    const later = await made('later.json');
    expect(later.writers.map(({ manager }) => manager)).toContain('keyferry-cli');
    expect(later.approval).toEqual(approval);
  });
});
