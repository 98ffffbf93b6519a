import type {
  V1ValidatingAdmissionPolicy,
  V1ValidatingAdmissionPolicyBinding,
} from '@kubernetes/client-node';
import type { Stored } from '#src/kube/wire.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { eventually } from '#test/support/eventually.ts';
import { aUser, type User } from '#test/support/users.ts';
import {
  Authors,
  denialOf,
  denialOfPatch,
  migrationSpec,
  objectOf,
  onSecrets,
  onTokensOf,
  openbaoSpec,
  pathOf,
} from './admission-rig.ts';

const cluster = sharedCluster();
const administrator = cluster.kubeClient;
const POLICIES = '/apis/admissionregistration.k8s.io/v1';
const ACCOUNT = { role: 'payments', serviceAccountRef: { name: 'vault' } };
const AUDIENCES = { audiences: ['keyferry.io/openbao'] };
let authors: Authors;
let namespace: string;
let place: { readonly kind: 'SecretBackend'; readonly namespace: string };
/** May write migrations and backends, and has no right on Secrets and ServiceAccounts. */
let stranger: User;

beforeAll(async () => {
  namespace = await cluster.createNamespace('admission');
  authors = new Authors(cluster, namespace);
  place = { kind: 'SecretBackend', namespace };
  stranger = await authors.having();
});
afterAll(async () => {
  await authors[Symbol.asyncDispose]();
  await cluster.dispose();
});

describe('the author of a backend', () => {
  it.each([
    ['token', openbaoSpec({ auth: { token: { secretRef: { name: 'mine' } } } })],
    ['appRole', openbaoSpec({ auth: { appRole: { roleId: 'r', secretIdRef: { name: 'mine' } } } })],
    ['jwt', openbaoSpec({ auth: { jwt: { role: 'r', secretRef: { name: 'mine' } } } })],
    ['cert', openbaoSpec({ auth: { cert: { secretRef: { name: 'mine' } } } })],
    [
      'caSecretRef',
      openbaoSpec({ caSecretRef: { name: 'mine' }, auth: { kubernetes: { ...ACCOUNT, ...AUDIENCES } } }),
    ],
  ])('needs the right to get the Secret of %s', async (_reference, spec) => {
    const reader = await authors.having(onTokensOf('vault'), onSecrets(['get'], ['mine']));
    const other = await authors.having(onTokensOf('vault'), onSecrets(['get'], ['other']));
    const denial = await denialOf(other, place, spec);
    const named = `may not get Secret ${namespace}/mine, which SecretBackend ${namespace}/new names`;
    expect(denial).toContain(`${other.name} ${named}`);
    expect(denial).toContain('Ask an administrator of the namespace for the right to get this Secret.');
    expect(await denialOf(reader, place, spec)).toBe('');
  });

  it.each([
    ['kubernetes', openbaoSpec({ auth: { kubernetes: { ...ACCOUNT, ...AUDIENCES } } })],
    ['jwt', openbaoSpec({ auth: { jwt: { ...ACCOUNT, ...AUDIENCES } } })],
  ])('needs the right to create tokens of the ServiceAccount of %s', async (_method, spec) => {
    const denial = await denialOf(await authors.having(onTokensOf('other')), place, spec);
    expect(denial).toContain(`may not create tokens of ServiceAccount ${namespace}/vault`);
    expect(denial).toContain(
      'Ask an administrator of the namespace for the right to create serviceaccounts/token',
    );
    expect(await denialOf(await authors.having(onTokensOf('vault')), place, spec)).toBe('');
  });

  it.each([
    [
      'kubernetes',
      (audiences: object) => openbaoSpec({ auth: { kubernetes: { ...ACCOUNT, ...audiences } } }),
    ],
    ['jwt', (audiences: object) => openbaoSpec({ auth: { jwt: { ...ACCOUNT, ...audiences } } })],
  ])('names no audience of other systems for %s', async (_method, specWith) => {
    const foreign = specWith({ audiences: ['keyferry.io/a', 'https://kubernetes.default.svc'] });
    const denial = await denialOf(administrator, place, foreign);
    expect(denial).toContain(
      `An audience of SecretBackend ${namespace}/new does not start with keyferry.io/.`,
    );
    expect(denial).toContain('Ask an administrator if the server does not support audiences.');
    expect(await denialOf(administrator, place, specWith(AUDIENCES))).toBe('');
  });

  it('creates no SecretBackend in the namespace of the operator', async () => {
    const own = { ...place, namespace: OPERATOR_ACCOUNT.namespace };
    const spec = { type: 'kubernetes', kubernetes: {} };
    const denial = await denialOf(administrator, own, spec);
    expect(denial).toContain('SecretBackend keyferry-system/new is in the namespace of the operator');
    expect(denial).toContain('ask an administrator to share a ClusterSecretBackend');
    expect(await denialOf(administrator, place, spec)).toBe('');
  });

  it('of a ClusterSecretBackend needs the rights in the namespace of the operator', async () => {
    const rights = [{ apiGroups: ['keyferry.io'], resources: ['clustersecretbackends'], verbs: ['create'] }];
    const inCluster = { namespace: undefined, rights };
    const own = { namespace: OPERATOR_ACCOUNT.namespace, rights: [onSecrets(['get'], ['token'])] };
    const elsewhere = { namespace, rights: [onSecrets(['get'], ['token'])] };
    const shared = { ...place, kind: 'ClusterSecretBackend' } as const;
    await using stranded = await aUser(cluster, namespace, elsewhere, inCluster);
    await using platform = await aUser(cluster, namespace, own, inCluster);
    expect(await denialOf(stranded, shared, openbaoSpec())).toContain(
      'may not get Secret keyferry-system/token, which ClusterSecretBackend new names',
    );
    expect(await denialOf(platform, shared, openbaoSpec())).toBe('');
  });
});

describe('the list of addresses', () => {
  it.each([
    'https://127.0.0.1:1',
    'https://127.0.0.1',
    'https://[::1]:8200/',
    'https://bao.example.com:8200',
    'https://BAO.example.com:8200/',
    'https://a.wild.example:8443',
    'https://default.example',
    'https://default.example:443',
  ])('has %s', async (address) => {
    expect(await denialOf(administrator, place, openbaoSpec({ address }))).toBe('');
  });

  it.each([
    'https://elsewhere.example:8200',
    'http://bao.example.com:8200',
    'https://bao.example.com:8201',
    'https://bao.example.com:08200',
    'https://bao.example.com.elsewhere:8200',
    'https://elsewhere-bao.example.com:8200',
    'https://a.b.wild.example:8443',
    'https://wild.example:8443',
    'https://elsewherewild.example:8443',
    'https://default.example:444',
    'https://2130706433:1',
    'https://0x7f.0.0.1:1',
    'https://127.1:1',
    'https://[::ffff:127.0.0.1]:1',
  ])('does not have %s', async (address) => {
    const denial = await denialOf(administrator, place, openbaoSpec({ address }));
    expect(denial).toContain(`The address ${address} of SecretBackend ${namespace}/new is not on the list`);
    expect(denial).toMatch(/Ask an administrator to add https?:\/\/\S+:[0-9]+ to addresses in ConfigMap/);
  });

  it('is required: without the ConfigMap every backend is refused', async () => {
    const bindings = `${POLICIES}/validatingadmissionpolicybindings`;
    const shipped = await cluster.kube<Stored<V1ValidatingAdmissionPolicyBinding>>(
      'GET',
      `${bindings}/keyferry-backends`,
    );
    // The binding as it ships, for one namespace and with a ConfigMap that does not exist.
    const apart = await cluster.createNamespace('admission');
    const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': apart } };
    const paramRef = { ...shipped.spec?.paramRef, name: 'absent' };
    // A namespace selector does not hold for objects of the cluster.
    const resources = {
      apiGroups: ['keyferry.io'],
      apiVersions: ['*'],
      operations: ['*'],
      resources: ['secretbackends'],
    };
    const spec = {
      ...shipped.spec,
      paramRef,
      matchResources: { namespaceSelector, resourceRules: [resources] },
    };
    await cluster.kube('POST', bindings, { metadata: { name: apart }, spec });
    try {
      await eventually('the apiserver asks the second binding', async () => {
        const backend = { type: 'kubernetes', kubernetes: {} };
        const denial = await denialOf(administrator, { ...place, namespace: apart }, backend);
        return denial.includes('no params found for policy binding');
      });
    } finally {
      await cluster.kube('DELETE', `${bindings}/${apart}`);
    }
  });
});

describe('an update of a backend', () => {
  it('needs the rights of the user who changes the spec, and none for other metadata', async () => {
    const object = objectOf('SecretBackend', 'existing', openbaoSpec());
    await cluster.kube('POST', pathOf('SecretBackend', namespace), object);
    const path = pathOf('SecretBackend', namespace, 'existing');
    const change = { spec: { openbao: { requestTimeoutSeconds: 10 } } };
    expect(await denialOfPatch(stranger, path, change)).toContain('may not get Secret');
    expect(await denialOfPatch(administrator, path, change)).toBe('');
    expect(await denialOfPatch(stranger, path, { metadata: { labels: { a: 'b' } } })).toBe('');
    const status = { status: { identity: 'x' } };
    expect(await denialOfPatch(administrator, `${path}/status`, status)).toBe('');
  });
});

describe('a user who may write the two kinds and nothing else', () => {
  it('gets no Secret posted, no stored token sent, no token of a ServiceAccount and nothing removed', async () => {
    const migration = { kind: 'SecretMigration', namespace } as const;
    for (const change of [{}, { sourcePolicy: 'Delete' }, { dryRun: true }, { select: { names: ['a'] } }]) {
      expect(await denialOf(stranger, migration, migrationSpec(change))).toContain('may not get Secrets');
    }
    expect(await denialOf(stranger, place, openbaoSpec())).toContain('may not get Secret');
    const account = openbaoSpec({ auth: { kubernetes: { ...ACCOUNT, ...AUDIENCES } } });
    expect(await denialOf(stranger, place, account)).toContain('may not create tokens of ServiceAccount');
  });
});

describe('the policies', () => {
  it.each(['keyferry-backends', 'keyferry-migrations'])('%s have no type that is wrong', async (name) => {
    const read = () =>
      cluster.kube<Stored<V1ValidatingAdmissionPolicy>>(
        'GET',
        `${POLICIES}/validatingadmissionpolicies/${name}`,
      );
    const { status } = await eventually('the types are checked', async () => {
      const policy = await read();
      return policy.status?.observedGeneration === policy.metadata.generation && policy;
    });
    expect(status?.typeChecking).toEqual({});
  });
});
