import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { LOGIN_METHODS, type CredentialKeeper, type PreparedAuth } from '#test/support/auth-methods.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { LocalRig } from '#test/support/local-run.ts';
import { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend } from '#test/support/token-files.ts';
import { aUser, type Right } from '#test/support/users.ts';

/* How `migrate --local` logs in to a real server, and what it says of rights that are missing. */

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ report: () => undefined });
  await cluster.installKeyferry();
});

afterAll(async () => {
  await cluster.dispose();
});

/** Keeps credentials as files: a run without an operator reads no Secret. */
class Files implements CredentialKeeper {
  readonly namespace: string;
  readonly stored: Record<string, string> = {};

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  async storeSecretData(data: Readonly<Record<string, string>>): Promise<string> {
    await this.replaceSecretData('credentials', data);
    return 'credentials';
  }

  async replaceSecretData(_name: string, data: Readonly<Record<string, string>>): Promise<void> {
    Object.assign(this.stored, data);
    return Promise.resolve();
  }

  /** `--credential bao=file:secret-id`; with more than one file, each with its key. */
  flags(): readonly string[] {
    const names = Object.keys(this.stored);
    const keyOf = (name: string): string => (names.length === 1 ? '' : `/${name}`);
    return names.flatMap((name) => ['--credential', `bao${keyOf(name)}=file:${name}`]);
  }
}

function backendWith(mount: string, auth: PreparedAuth['auth']) {
  const { baoCaPem: caBundle, baoUrl: address } = cluster;
  const { spec, ...backend } = anOpenBaoBackend({ mount, address, caBundle });
  return { ...backend, spec: { ...spec, openbao: { ...spec.openbao, auth } } };
}

function inNamespace(namespace: string, { metadata, ...migration }: ReturnType<typeof aMigration>) {
  return { ...migration, metadata: { ...metadata, namespace } };
}

describe.each(Object.entries(LOGIN_METHODS))(
  'a run without an operator that logs in with %s',
  (_, prepare) => {
    it('moves files to the server, and leaves no token behind', async () => {
      const files = new Files(await cluster.createNamespace('local'));
      const mount = await cluster.createMount('kv');
      const policy = documentedPolicy(mount);
      const { auth, livingTokens } = await prepare({ cluster, keeper: files }, { policy });
      const all = { select: { all: true as const }, mapping: { path: '{name}' } };
      const migration = inNamespace(files.namespace, aMigration('move', { from: 'files', ...all }));
      const objects = [migration, aDirectoryBackend({ path: 'tokens' }), backendWith(mount, auth)];
      await using rig = await LocalRig.open(objects, files.stored);
      rig.plant('tokens', { github: 'correct-horse\n' });

      const done = await rig.run([...files.flags(), '--kubeconfig', cluster.kubeconfigPath]);
      expect(done).toEqual({ code: 0, err: '', out: expect.stringContaining('1 key: 1 verified.') });
      const copy = await cluster.bao<{ data: { data: object } }>('GET', `${mount}/data/github`);
      expect(copy.data.data).toEqual({ value: 'correct-horse' });
      expect(await livingTokens()).toBe(0);
      const secrets = Object.values(files.stored).filter((text) => !text.includes('BEGIN CERTIFICATE'));
      for (const text of secrets) expect(rig.state().includes(text.trim().slice(-40))).toBe(false);
    });
  },
);

describe('a run without an operator, of a user who lacks a right', () => {
  const onSecrets: Right = {
    apiGroups: [''],
    resources: ['secrets'],
    verbs: ['get', 'list', 'create', 'patch', 'delete'],
  };
  const onBackends: Right = {
    apiGroups: ['keyferry.io'],
    resources: ['secretbackends', 'clustersecretbackends'],
    verbs: ['list'],
  };

  /** Runs the removal of one Secret as a user with these rights in the namespace, and in the cluster. */
  async function removed(rights: readonly Right[], inCluster: readonly Right[] = []) {
    const tenant = await Tenant.create(cluster);
    const { mount, namespace } = tenant;
    await tenant.apply(aSecret('db', { password: 'correct-horse' }));
    await using user = await aUser(
      cluster,
      namespace,
      { namespace, rights },
      { namespace: undefined, rights: inCluster },
    );
    const spec = { select: { names: ['db'] }, sourcePolicy: 'Delete' as const };
    const migration = inNamespace(namespace, aMigration('move', spec));
    const source = { backendRef: { kind: 'ClusterSecretBackend', name: 'kubernetes' } };
    const auth = { token: { secretRef: { name: 'in-a-file' } } };
    const objects = [{ ...migration, spec: { ...migration.spec, source } }, backendWith(mount, auth)];
    const token = await cluster.createToken(documentedPolicy(mount));
    await using rig = await LocalRig.open(objects, { token });
    const ended = await rig.run(['--credential', 'bao=file:token', '--kubeconfig', user.kubeconfig()]);
    expect(await tenant.secret('db')).toBeDefined();
    return { ...ended, namespace };
  }

  it('to list backends, keeps each source, and names the roles that give it', async () => {
    const { code, namespace, out } = await removed([onSecrets]);
    expect(code).toBe(1);
    expect(out).toMatch(/^db +password +Verified +TrustRoot/m);
    expect(out).toContain('you may not list SecretBackends and ClusterSecretBackends');
    expect(out).toContain(`keyferry-view in the namespace ${namespace} and keyferry-cluster-view`);
    expect(out).not.toMatch(/the operator/i);
  });

  it('to list what can use a Secret, keeps it, and names the first list', async () => {
    const { code, namespace, out } = await removed([onSecrets], [onBackends]);
    expect(code).toBe(1);
    expect(out).toMatch(/^db +password +Verified +InUseUnknown/m);
    expect(out).toContain(`You may not list deployments.apps in ${namespace}.`);
    expect(out).not.toMatch(/the operator/i);
  });
});

describe('a run without an operator, with a token that may not list', () => {
  it.each([
    ['the mount', ''],
    ['one folder', '/closed'],
  ])('%s: says which right is missing, where', async (_what, folder) => {
    const mount = await cluster.createMount('kv');
    for (const name of ['open/a', 'closed/b'])
      await cluster.bao('POST', `${mount}/data/${name}`, { data: { k: 'v' } });
    const denied = `\npath "${mount}/metadata${folder}/" { capabilities = ["deny"] }\n`;
    const token = await cluster.createToken(documentedPolicy(mount) + denied);
    const auth = { token: { secretRef: { name: 'in-a-file' } } };
    const migration = aMigration('move', {
      from: 'bao',
      to: 'files',
      select: { all: true },
      mapping: { path: '{name}' },
    });
    const objects = [migration, backendWith(mount, auth), aDirectoryBackend({ path: 'tokens' })];
    await using rig = await LocalRig.open(objects, { token });
    rig.plant('tokens', {});
    const { code, err, out } = await rig.run(['--credential', 'bao=file:token']);
    expect(code).toBe(1);
    expect(out + err).toContain('PermissionDenied');
    expect(out + err).toContain(`(openbao.list ${mount}/metadata${folder}). Grant the policy`);
  });
});
