import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';

const cluster = sharedCluster();
const CONFIG = join(import.meta.dirname, '..', '..', '..', 'config');
const SAMPLES = join(CONFIG, 'samples');
let namespace: string;

beforeAll(async () => {
  namespace = await cluster.createNamespace('config');
});
afterAll(() => cluster.dispose());

describe('config/samples', () => {
  it.each(readdirSync(SAMPLES))('%s is accepted by the apiserver, without an unknown field', async (file) => {
    const { stdout, stderr } = await cluster.kubectl([
      'apply',
      '--dry-run=server',
      '--validate=strict',
      '-n',
      namespace,
      '-f',
      join(SAMPLES, file),
    ]);
    expect(stderr).toBe('');
    expect(stdout).toContain('created (server dry run)');
  });
});

describe('config/', () => {
  it.each(['namespaces', 'strict'])('has the scope %s, whose example applies as a whole', async (scope) => {
    const manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'payments' } };
    await cluster.kubeClient.reply('POST', '/api/v1/namespaces', manifest); // Another test may have made it.
    const folder = join(CONFIG, 'scopes', scope);
    const { code, stdout } = await cluster.kubectl(['apply', '--dry-run=server', '-k', folder]);
    expect(code).toBe(0);
    expect(stdout).toContain('rolebinding.rbac.authorization.k8s.io/keyferry-operator');
    expect(stdout).not.toContain('clusterrolebinding.rbac.authorization.k8s.io/keyferry-operator');
  });

  it('has in default the operator too, and all of it applies without an unknown field', async () => {
    const apply = ['apply', '--dry-run=server', '--validate=strict', '-k', join(CONFIG, 'default')];
    const { code, stdout, stderr } = await cluster.kubectl(apply);
    expect(stderr).not.toContain('unknown');
    expect(code).toBe(0);
    expect(stdout).toContain('deployment.apps/keyferry created');
    expect(stdout).toContain('networkpolicy.networking.k8s.io/keyferry created');
  });

  it('is a kustomize base that applies as a whole', async () => {
    const { stdout, stderr } = await cluster.kubectl(['apply', '--dry-run=server', '-k', CONFIG]);
    expect(stderr).not.toContain('error');
    expect(stdout).toContain('clusterrole.rbac.authorization.k8s.io/keyferry-operator');
    expect(stdout).toContain('serviceaccount/keyferry');
  });
});

/** Runs `kubectl auth can-i` for the operator or for another user. */
async function may(
  subject: readonly string[],
  verb: string,
  resource: string,
  place: string,
): Promise<boolean> {
  const [name = '', subresource] = resource.split('/');
  const { stdout } = await cluster.kubectl([
    'auth',
    'can-i',
    ...subject,
    verb,
    name,
    ...(subresource === undefined ? [] : [`--subresource=${subresource}`]),
    '-n',
    place,
  ]);
  return stdout.trim() === 'yes';
}

const OPERATOR = [`--as=system:serviceaccount:${OPERATOR_ACCOUNT.namespace}:${OPERATOR_ACCOUNT.name}`];

describe('the operator', () => {
  it.each([
    ['list', 'secrets'],
    ['delete', 'secrets'],
    ['create', 'serviceaccounts/token'],
    ['watch', 'secretmigrations.keyferry.io'],
    ['patch', 'secretmigrations.keyferry.io/status'],
    ['patch', 'secretbackends.keyferry.io/status'],
    ['watch', 'clustersecretbackends.keyferry.io'],
    ['patch', 'clustersecretbackends.keyferry.io/status'],
    ['create', 'secretmigrationreports.keyferry.io'],
    ['create', 'events.events.k8s.io'],
  ])('may %s %s in every namespace', async (verb, resource) => {
    expect(await may(OPERATOR, verb, resource, namespace)).toBe(true);
  });

  it.each([
    ['delete', 'secretmigrations.keyferry.io'],
    ['update', 'secretmigrations.keyferry.io'],
    ['update', 'secretbackends.keyferry.io'],
    ['update', 'clustersecretbackends.keyferry.io'],
    ['get', 'pods'],
    ['get', 'configmaps'],
    ['create', 'leases.coordination.k8s.io'],
    ['create', 'clusterrolebindings.rbac.authorization.k8s.io'],
    ['create', 'pods/exec'],
  ])('may not %s %s', async (verb, resource) => {
    expect(await may(OPERATOR, verb, resource, namespace)).toBe(false);
  });

  it('may hold its Lease in its own namespace, and no other one', async () => {
    const mayWith = async (verb: string, lease: string): Promise<boolean> => {
      const object = `leases.coordination.k8s.io/${lease}`;
      const args = ['auth', 'can-i', ...OPERATOR, verb, object, '-n', OPERATOR_ACCOUNT.namespace];
      return (await cluster.kubectl(args)).stdout.trim() === 'yes';
    };
    for (const verb of ['get', 'update']) {
      expect(await mayWith(verb, 'keyferry-operator')).toBe(true);
      expect(await mayWith(verb, 'another')).toBe(false);
    }
    expect(await may(OPERATOR, 'create', 'leases.coordination.k8s.io', OPERATOR_ACCOUNT.namespace)).toBe(
      true,
    );
    expect(await may(OPERATOR, 'delete', 'leases.coordination.k8s.io', OPERATOR_ACCOUNT.namespace)).toBe(
      false,
    );
  });
});

describe('the built-in roles', () => {
  beforeAll(async () => {
    for (const role of ['view', 'edit']) {
      await cluster.kubectl([
        'create',
        'rolebinding',
        role,
        `--clusterrole=${role}`,
        `--user=${role}er`,
        '-n',
        namespace,
      ]);
    }
  });

  it('let viewers read all Keyferry objects and write none', async () => {
    expect(await may(['--as=viewer'], 'list', 'secretmigrationreports.keyferry.io', namespace)).toBe(true);
    expect(await may(['--as=viewer'], 'create', 'secretmigrations.keyferry.io', namespace)).toBe(false);
  });

  it('let editors write migrations, but neither status nor reports', async () => {
    expect(await may(['--as=editer'], 'create', 'secretmigrations.keyferry.io', namespace)).toBe(true);
    expect(await may(['--as=editer'], 'delete', 'secretbackends.keyferry.io', namespace)).toBe(true);
    expect(await may(['--as=editer'], 'create', 'clustersecretbackends.keyferry.io', namespace)).toBe(false);
    expect(await may(['--as=editer'], 'patch', 'secretmigrations.keyferry.io/status', namespace)).toBe(false);
    expect(await may(['--as=editer'], 'create', 'secretmigrationreports.keyferry.io', namespace)).toBe(false);
  });
});
