import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { Gate } from '#test/support/gate.ts';
import { Person } from '#test/support/person.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aUser } from '#test/support/users.ts';

/* What a person sees with `kubectl keyferry status` and `explain`: the real bundle, in a pipe and in a terminal. */

const stage = useStage();

/** So long that the rows of 260 of them are more than a status takes. */
function longKey(index: number): string {
  return `key-${index}-${'x'.repeat(240)}`;
}

/** A tenant with these Secrets of one key each, and the person who looks at it. */
async function aTenant(
  ...names: readonly string[]
): Promise<{ tenant: Tenant; person: Person; at: string[] }> {
  const tenant = await stage().tenant();
  await Promise.all(names.map(async (name) => tenant.apply(aSecret(name, { password: `of ${name}` }))));
  return { tenant, person: Person.at(stage().cluster), at: ['-n', tenant.namespace] };
}

/** `db` is moved, `smtp` differs, `missing` does not exist. */
async function aMixedMigration() {
  const { at, person, tenant } = await aTenant('db', 'smtp');
  const { cluster, mount, namespace } = tenant;
  await cluster.bao('POST', `${mount}/data/${namespace}/smtp`, { data: { password: 'another' } });
  await tenant.apply(aMigration('payments', { select: { names: ['db', 'smtp', 'missing'] } }));
  await tenant.untilReady('payments', { status: 'False', reason: 'PartiallyFailed' });
  return { at, person, tenant };
}

/** A run that has moved two of three Secrets; the write of the third waits for the gate. */
async function aHalfDoneMigration() {
  const { at, person, tenant } = await aTenant('db', 'mail', 'slow');
  const writeOf = (name: string) => ({
    method: 'POST',
    path: new RegExp(`^/v1/${tenant.mount}/data/${tenant.namespace}/${name}$`),
  });
  const [gate, others] = ['slow', '(db|mail)'].map((name) => new Gate(stage().bao, writeOf(name)));
  if (gate === undefined || others === undefined) throw new Error('there are two');
  using first = others;
  await tenant.apply(aMigration('move', { select: { names: ['db', 'mail', 'slow'] } }));
  await Promise.all([gate.arrival, first.arrival]);
  // The operator writes the status with the next outcome, at most once a second.
  await eventually('another write of the status is due', async () => {
    const { startTime = '' } = (await tenant.migration('move')).status;
    return Date.now() - Date.parse(startTime) > 2500;
  });
  return { at, person, gate };
}

/** Cells of each line of a table. */
function cellsOf(table: string): readonly (readonly string[])[] {
  return table
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
}

describe('status in a pipe', () => {
  it('is the table of kubectl get, a table of keys, or the object, without a color', async () => {
    const { at, person, tenant } = await aMixedMigration();
    const list = await person.run('status', ...at);
    const { stdout: same } = await tenant.cluster.kubectl(['get', 'secretmigrations', ...at]);
    const withoutAge = (table: string) => cellsOf(table).map((cells) => cells.slice(0, -1));
    expect(withoutAge(list.stdout)).toEqual(withoutAge(same));
    expect(list).toMatchObject({ code: 0, stderr: '' });

    const one = await person.run('status', 'payments', ...at);
    expect(one.stdout).toMatch(/^Name: +payments\n/);
    const [, keys = ''] = one.stdout.split('\n\n');
    expect(cellsOf(keys).map(([name, ...cells]) => [name, ...cells.slice(0, 2)])).toEqual([
      ['NAME', 'KEY', 'STATE'],
      ['missing', 'Failed', 'SourceMissing'],
      ['smtp', 'password', 'Conflict'],
      ['db', 'password', 'Verified'],
    ]);
    expect(one.stdout).not.toContain('\u001B');

    const only = await person.run('status', 'payments', '--state', 'conflict', ...at);
    expect(only.stdout).toMatch(/smtp/);
    expect(only.stdout.split('\n\n')[1]).not.toMatch(/missing|db/);
    expect((await person.run('status', '-o', 'name', ...at)).stdout).toBe(
      'secretmigration.keyferry.io/payments\n',
    );
    const wide = await person.run('status', '-A', '-o', 'wide');
    expect(wide.stdout).toMatch(new RegExp(`^${tenant.namespace} +payments +False .*SecretBackend/bao`, 'm'));
  });

  it('has all rows of a large migration, which are in reports', async () => {
    const { at, person, tenant } = await aTenant();
    const keys = Array.from({ length: 260 }, (_, index) => [longKey(index), 'x'] as const);
    await tenant.apply(aSecret('many', Object.fromEntries(keys)));
    await tenant.apply(aMigration('large', { select: { names: ['many'] } }));
    const migration = await tenant.untilReady('large');
    expect(migration.status.keysTruncated).toBe(true);
    const { stdout } = await person.run('status', 'large', '-o', 'json', ...at);
    const { status } = JSON.parse(stdout);
    expect(status.keys.flatMap(({ keys: names }: StatusRow) => names)).toHaveLength(260);
    expect(Object.keys(status)).not.toContain('keysTruncated');
    const yaml = load((await person.run('status', '-o', 'yaml', ...at)).stdout);
    expect(yaml).toMatchObject({ kind: 'List', items: [{ status: { keys: status.keys } }] });
    const table = await person.run('status', 'large', ...at);
    expect(table.stdout.match(/^many /gm)).toHaveLength(260);
    await using unread = person.start('status', 'large', ...at);
    unread.stopReading();
    expect(await unread.exited).toBe(141);
    expect(unread.stderr).toBe('');
    await using terminal = person.atTerminal('status', 'large', ...at);
    expect(await terminal.exited).toBe(0);
    expect(terminal.screen.text.match(/^many /gm)).toHaveLength(50);
    expect(terminal.screen.text).toContain(
      '… and 210 more. To see all of them: kubectl keyferry status large',
    );
  });

  it('has a line for each change, and ends with the migration', async () => {
    const { at, gate, person } = await aHalfDoneMigration();
    using writes = gate;
    await using watch = person.start('status', 'move', '-w', ...at);
    await watch.untilPrinted(/Progressing +[12]\/3/);
    writes.open();
    expect(await watch.exited).toBe(0);
    const lines = watch.stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^NAME +READY +STATUS +PROGRESS/);
    expect(lines.at(-1)).toMatch(/^move +True +Completed +3\/3 +0 +0 /);
    expect(new Set(lines.map((line) => line.replace(/\S+$/, ''))).size).toBe(lines.length);
  });

  it('goes on when the API server was away', async () => {
    const { at, person, tenant } = await aTenant('db');
    await tenant.apply(aMigration('move', { select: { names: ['db'] }, suspend: true }));
    await tenant.untilReady('move', { reason: 'Suspended' });
    await using watch = person.start('status', 'move', '-w', ...at);
    await watch.untilPrinted(/Suspended/);
    await stage().cluster.kill('apiserver');
    await watch.untilPrinted(/The connection is lost; it is tried again/);
    await stage().cluster.restart('apiserver');
    await watch.untilPrinted(/Connected again/);
    await eventually('the change is stored', async () => {
      await tenant.mergePatch('SecretMigration', 'move', { spec: { suspend: false } });
      return true;
    });
    expect(await watch.exited).toBe(0);
    expect(watch.stdout).toMatch(/Completed +1\/1/);
    stage().allowErrors(/./);
  });
});

describe('status in a terminal', () => {
  it('draws a bar until the migration has completed, and leaves the cursor as it was', async () => {
    const { at, gate, person } = await aHalfDoneMigration();
    using writes = gate;
    await using terminal = person.atTerminal('status', 'move', '-w', ...at);
    await terminal.untilShown(/█░+ [12]\/3 keys/);
    await terminal.untilShown(/^slow +(?:password)? +Pending/m);
    expect(terminal.screen.isCursorShown).toBe(false);
    writes.open();
    expect(await terminal.exited).toBe(0);
    const { screen } = terminal;
    expect(screen.lines[0]).toMatch(/^move +Completed +SecretBackend\/kubernetes → SecretBackend\/bao$/);
    expect(screen.text).toMatch(/█ 3\/3 keys, 100%/);
    expect(screen.text).toMatch(/Last changes\n[^]*\d+s ago +slow\/password +(?:Pending → )?Verified/);
    // Nothing of earlier pictures is left.
    expect(screen.text).not.toMatch(/Progressing|[12]\/3/);
    expect(screen.isCursorShown).toBe(true);
    expect(screen.hasColor).toBe(true);
  });

  it('ends with Ctrl-C, and shows the cursor again', async () => {
    const { at, person, tenant } = await aMixedMigration();
    await using terminal = person.atTerminal('status', '-w', ...at);
    await terminal.untilShown(/^payments +False +PartiallyFailed +1\/3/m);
    await tenant.mergePatch('SecretMigration', 'payments', { spec: { suspend: true } });
    await terminal.untilShown(/^payments +Unknown +Suspended/m);
    expect(terminal.screen.isCursorShown).toBe(false);
    terminal.pressCtrlC();
    expect(await terminal.exited).toBe(130);
    expect(terminal.screen.isCursorShown).toBe(true);
  });
});

describe('explain', () => {
  it('says what stands in the row, what follows and what to do', async () => {
    const { at, person } = await aMixedMigration();
    const { code, stdout } = await person.run('explain', 'payments', 'smtp/password', ...at);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Document: +smtp\nKey: +password\n/);
    expect(stdout).toMatch(/^State: +Conflict, for /m);
    expect(stdout).toMatch(/^Destination: +SecretBackend\/bao, \S+\/smtp$/m);
    expect(stdout).toMatch(/^Commands: +kubectl keyferry retry payments -n /m);
    expect(stdout).not.toContain('another');

    const several = await person.run('explain', 'payments', 'password', ...at);
    expect(several.code).toBe(1);
    expect(several.stdout).toMatch(/db +password[^]*smtp +password|smtp +password[^]*db +password/);
    const none = await person.run('explain', 'payments', 'smtp2', ...at);
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toContain('has no document or key "smtp2". Similar: smtp.');
  });
});

describe('what goes wrong', () => {
  it('is said with what to do: no such migration, and a right that is missing', async () => {
    const { at, person, tenant } = await aTenant();
    const absent = await person.run('status', 'nothing', ...at);
    expect(absent).toMatchObject({ code: 1, stdout: '' });
    expect(absent.stderr).toContain(
      `kubectl keyferry: There is no SecretMigration nothing in the namespace ${tenant.namespace}.`,
    );
    await using user = await aUser(tenant.cluster, tenant.namespace);
    const nobody = Person.at(tenant.cluster, user.kubeconfig());
    const denied = await nobody.run('status', ...at);
    expect(denied).toMatchObject({ code: 1, stdout: '' });
    expect(denied.stderr).toContain('may not list secretmigrations.keyferry.io in the namespace');
    expect(denied.stderr).toContain('The ClusterRole keyferry-view gives this right');
    const empty = await person.run('status', ...at);
    expect(empty).toMatchObject({ code: 0, stdout: '' });
    expect(empty.stderr).toBe(`No SecretMigrations found in the namespace ${tenant.namespace}.\n`);
  });

  // The last one: it takes the kind away.
  it('is said of a cluster without Keyferry', async () => {
    const { at, person, tenant } = await aTenant();
    await stage().operator.stop();
    await tenant.cluster.kubectl(['delete', 'crd', 'secretmigrations.keyferry.io', '--wait=false']);
    await eventually('the kind is not served', async () => {
      const { code, stderr } = await person.run('status', ...at);
      return code === 1 && stderr.includes('Keyferry is not installed in this cluster: ');
    });
    stage().allowErrors(/./);
  });
});
