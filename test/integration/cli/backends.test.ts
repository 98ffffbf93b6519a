import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import type { Finding } from '#src/cli/doctor/finding.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { uniqueName } from '#test/cluster/cluster.ts';
import { runCli, type CliResult } from '#test/support/cli-run.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { eventually } from '#test/support/eventually.ts';
import { OPERATOR_BUNDLE } from '#test/support/operator-process.ts';
import { kvData, pathOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import { Tenant } from '#test/support/tenant.ts';

const stage = useStage();
const SHARED = `/apis/${API_VERSION}/clustersecretbackends`;

/** An empty namespace and a mount, and what `backend create` needs to connect both. */
async function aTeam() {
  const { cluster } = stage();
  const [namespace, mount] = [await cluster.createNamespace('team'), await cluster.createMount('team')];
  const token = await cluster.createToken(documentedPolicy(mount));
  const run = async (line: string, input?: string): Promise<CliResult> =>
    runCli(cluster, [...line.split(' '), '-n', namespace], input === undefined ? {} : { input });
  const create =
    `backend create openbao --type openbao --address ${cluster.baoUrl} --mount ${mount} ` +
    `--ca-file ${cluster.baoCaPath} --auth token --token-stdin`;
  return { tenant: Tenant.at(cluster, namespace, mount), token, run, create, namespace };
}

describe('backend', () => {
  it('creates one from a token in a pipe, which works at once and for a migration, and shows the token nowhere', async () => {
    const { tenant, token, run, create } = await aTeam();
    const created = await run(create, `${token}\n`);
    expect(created).toMatchObject({
      code: 0,
      stdout: 'secretbackend.keyferry.io/openbao created\nsecret/openbao-credentials created\n',
    });
    expect(created.visible).toContain('--token-stdin');
    const tested = await run('backend test openbao');
    expect(tested).toMatchObject({ code: 0, stdout: expect.stringContaining('openbao is Ready') });
    expect(tested.stdout).toContain(`${tenant.mount}, KV version 2`);

    expect((await run('backend create kubernetes --type kubernetes')).code).toBe(0);
    await tenant.apply(aSecret('db', { password: 'hunter2' }));
    await tenant.apply(aMigration('move', { to: 'openbao', select: { names: ['db'] } }));
    await tenant.untilReady('move');
    expect(await kvData(tenant, pathOf(tenant, 'db'))).toEqual({ password: 'hunter2' });

    const described = await run('backend describe openbao');
    expect(described.stdout).toContain(`${tenant.namespace}/move as destination`);
    expect(described.stdout).toContain(`openbao-credentials in ${tenant.namespace}`);
    const yaml = await run('backend get openbao -o yaml');
    for (const { stdout, stderr, visible } of [created, tested, described, yaml])
      for (const text of [stdout, stderr, visible]) expect(text).not.toContain(token);

    const refused = await run('backend delete openbao');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('/move (destination)') });
    expect((await run('backend delete openbao --force')).code).toBe(0);
    await eventually(
      'its Secret goes with it',
      async () => (await tenant.secret('openbao-credentials')) === undefined,
      // The garbage collector looks for new kinds every 30 seconds.
      { deadlineMs: 90_000 },
    );
  });

  it('tests one whose token is wrong: exit code 1, with the reason and what to do', async () => {
    stage().allowErrors(/PERMISSION|AUTH_DENIED/);
    const { run, create } = await aTeam();
    expect((await run(create, 'canary-wrong\n')).code).toBe(0);
    const { code, stdout } = await run('backend test openbao');
    expect(stdout).toContain('openbao is not Ready: PermissionDenied');
    expect(stdout).not.toContain('canary');
    expect(code).toBe(1);
  });

  it('lists those of the namespace and those that it may use', async () => {
    const { run } = await aTeam();
    expect((await run('backend create mine --type kubernetes')).code).toBe(0);
    const { stdout } = await run('backend list');
    expect(stdout).toMatch(/^secretbackend\.keyferry\.io\/mine /m);
    expect(stdout).toMatch(
      /^clustersecretbackend\.keyferry\.io\/kubernetes +True +Available +kubernetes +true/m,
    );
  });

  it('makes exactly one the default', async () => {
    const { run, namespace } = await aTeam();
    const name = uniqueName('shared');
    expect(
      (await run(`backend create ${name} --cluster --allow-namespace ${namespace} --type kubernetes`)).code,
    ).toBe(0);
    const defaults = async (): Promise<readonly string[]> => {
      const { items } = await stage().cluster.kube<{
        items: readonly { metadata: { name: string; annotations?: Readonly<Record<string, string>> } }[];
      }>('GET', SHARED);
      return items
        .filter(({ metadata }) => metadata.annotations?.['keyferry.io/is-default-backend'] === 'true')
        .map(({ metadata }) => metadata.name);
    };
    expect(await run(`backend set-default ${name}`)).toMatchObject({ code: 0 });
    expect(await defaults()).toEqual([name]);
    expect(await run('backend set-default kubernetes')).toMatchObject({ code: 0 });
    expect(await defaults()).toEqual(['kubernetes']);
    expect(await run(`backend delete ${name}`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('add --cluster'),
    });
    expect(await run(`backend delete ${name} --cluster`)).toMatchObject({ code: 0 });
  });
});

describe('doctor', () => {
  it('finds a cluster in order, and a backend that is not, with the command that shows why', async () => {
    const { tenant, run, namespace } = await aTeam();
    await tenant.apply({
      apiVersion: API_VERSION,
      kind: 'SecretBackend',
      metadata: { name: 'broken' },
      spec: {
        type: 'openbao',
        openbao: {
          address: stage().cluster.baoUrl,
          caBundle: stage().cluster.baoCaPem,
          auth: { token: { secretRef: { name: 'none' } } },
        },
      },
    });
    await run('backend test broken');
    const { code, stdout } = await run('doctor -o json');
    const {
      findings,
    }: { findings: readonly { level: string; check: string; found: string; fix?: string }[] } =
      JSON.parse(stdout);
    const levelOf = (check: string): readonly string[] =>
      findings.filter((finding) => finding.check === check).map(({ level }) => level);
    const inOrder = ['versions', 'crds', 'operator', "operator's rights", 'uses of Secrets', 'admission'];
    for (const check of [...inOrder, 'quota', 'clock'])
      expect([check, levelOf(check)]).toEqual([check, ['ok']]);
    expect(findings).toContainEqual(
      expect.objectContaining({
        level: 'problem',
        found: expect.stringContaining(`SecretBackend ${namespace}/broken is not Ready: CredentialsMissing`),
        fix: `keyferry backend test broken -n ${namespace}`,
      }),
    );
    expect(code).toBe(1);
    expect((await run('backend delete broken')).code).toBe(0);
  });
});

describe('doctor about the right to list users of Secrets', () => {
  const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';

  it('names the lists that are missing without its binding, and the command mends it', async () => {
    const { cluster } = stage();
    const { tenant, run, namespace } = await aTeam();
    const binding = await cluster.kube<{ roleRef: object; subjects: object }>(
      'GET',
      `${bindings}/keyferry-in-use`,
    );
    await cluster.kube('DELETE', `${bindings}/keyferry-in-use`);
    try {
      const examine = async (): Promise<Finding | undefined> => {
        const { findings }: { findings: readonly Finding[] } = JSON.parse(
          (await run('doctor -o json')).stdout,
        );
        return findings.find(({ check }) => check === 'uses of Secrets');
      };
      const found = await eventually('the API server knows that the binding is gone', async () => {
        const finding = await examine();
        return finding?.level === 'warning' && finding;
      });
      expect(found.found).toMatch(/may not list deployments, .*pods.*\(InUseUnknown\)/);
      const [command = ''] = found.fix?.split('    #') ?? [];
      expect(command).toContain(`kubectl create rolebinding keyferry-in-use -n ${namespace} `);
      await tenant.cluster.kubectl(command.split(' ').slice(1));
      await eventually('the API server knows the new binding', async () => (await examine())?.level === 'ok');
    } finally {
      const { roleRef, subjects } = binding;
      await cluster.kube('POST', bindings, { metadata: { name: 'keyferry-in-use' }, roleRef, subjects });
    }
  });
});

describe('completion', () => {
  it('offers names of the cluster, in the shells of keyferry and in those of kubectl', async () => {
    const { run, namespace } = await aTeam();
    expect((await run('backend create mine --type kubernetes')).code).toBe(0);
    const { cluster } = stage();
    const folder = mkdtempSync(join(tmpdir(), 'keyferry-plugin-'));
    for (const name of ['kubectl-keyferry', 'kubectl_complete-keyferry'])
      symlinkSync(OPERATOR_BUNDLE, join(folder, name));
    const PATH = [folder, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
    const byKubectl = { program: cluster.kubectlProgram, environment: { PATH } };
    const words = ['backend', 'test', '-n', namespace, 'm'];
    // On a busy machine names are not there in time: then a person presses TAB again.
    await eventually('keyferry offers the name', async () => {
      return (await runCli(cluster, ['__complete', ...words])).stdout === 'mine\n:4\n';
    });
    await eventually('keyferry offers the namespace', async () => {
      const asked = ['__complete', 'backend', 'list', '--namespace', namespace.slice(0, -1)];
      return (await runCli(cluster, asked)).stdout.includes(`${namespace}\n`);
    });
    await eventually('kubectl offers the name', async () => {
      const { stdout } = await runCli(cluster, ['__complete', 'keyferry', ...words], byKubectl);
      return /^mine\n:4$/m.test(stdout);
    });
    rmSync(folder, { recursive: true });
  });
});
