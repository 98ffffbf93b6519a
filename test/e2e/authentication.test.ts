import { describe, expect, it } from 'vitest';
import { API_VERSION } from '#src/api/group.ts';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import { setAdmission } from '#test/cluster/admission.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import {
  applyClusterBackend,
  clusterBackend,
  deleteClusterBackend,
  untilBackend,
} from '#test/support/cluster-backends.ts';
import { LOGIN_METHODS } from '#test/support/auth-methods.ts';
import type { CredentialKeeper, PreparedAuth } from '#test/support/auth-methods.ts';
import { kvData, kvMetadata, pathOf, reasonOf, requestRun, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { eventually } from '#test/support/eventually.ts';
import { Tenant } from '#test/support/tenant.ts';

const stage = useStage();
const FIELDS = { user: 'app', password: 'correct horse' };

/** Keeps the credentials in the namespace of the tenant, as its owner would. */
function keeperIn(tenant: Tenant): CredentialKeeper {
  const replaceSecretData = (name: string, data: Readonly<Record<string, string>>, type?: string) =>
    tenant.apply(aSecret(name, data, type === undefined ? {} : { type }));
  return {
    namespace: tenant.namespace,
    replaceSecretData,
    storeSecretData: async (data, type) => {
      await replaceSecretData('credentials', data, type);
      return 'credentials';
    },
  };
}

/** A piece out of the middle of each credential, where a PEM has no header; a certificate is no secret. */
async function fragmentsOfCredentials(tenant: Tenant): Promise<readonly string[]> {
  const data = Object.entries((await tenant.secret('credentials'))?.data ?? {});
  const secret = data.filter(([key]) => key !== 'tls.crt').map(([, base64]) => Buffer.from(base64, 'base64'));
  return secret.map((bytes) => bytes.toString().slice(bytes.length / 2, bytes.length / 2 + 10));
}

async function applyBackend(tenant: Tenant, auth: PreparedAuth['auth']): Promise<void> {
  const { cluster, mount } = tenant;
  const { spec, ...backend } = anOpenBaoBackend({
    name: 'team',
    address: cluster.baoUrl,
    mount,
    caBundle: cluster.baoCaPem,
  });
  await tenant.apply({ ...backend, spec: { ...spec, openbao: { ...spec.openbao, auth } } });
}

describe.each(Object.entries(LOGIN_METHODS))('a backend with %s', (_name, prepare) => {
  it('is used with one login, keeps its credentials, and leaves no token behind', async () => {
    const tenant = await stage().tenant();
    const { cluster } = stage();
    const by = { cluster, keeper: keeperIn(tenant) };
    const { auth, livingTokens } = await prepare(by, { policy: documentedPolicy(tenant.mount) });
    await applyBackend(tenant, auth);
    await tenant.apply(aSecret('db', FIELDS));
    await tenant.apply(aMigration('move', { to: 'team', sourcePolicy: 'Delete' }));
    await tenant.untilReady('move', { status: 'True', reason: 'Completed' });

    const { db, credentials } = await statesOf(tenant, 'move');
    expect(db).toBe('Removed');
    expect(await kvData(tenant, pathOf(tenant, 'db'))).toEqual(FIELDS);
    expect(credentials).toBe((await tenant.secret('credentials')) && 'Skipped TrustRoot');
    expect(await kvMetadata(tenant, pathOf(tenant, 'credentials'))).toBeUndefined();
    expect(await livingTokens()).toBe(1);
    for (const fragment of await fragmentsOfCredentials(tenant)) {
      const shown = [await tenant.backend('team'), await tenant.migration('move'), stage().operator.logs()];
      expect(JSON.stringify(shown)).not.toContain(fragment);
    }

    await tenant.delete('SecretBackend', 'team');
    await eventually('the token of the deleted backend is revoked', async () => (await livingTokens()) === 0);
  });
});

describe('a backend whose credentials are wrong', () => {
  it('says so, and is tried again when its Secret is corrected', async () => {
    const tenant = await stage().tenant();
    const { cluster } = stage();
    const keeper = keeperIn(tenant);
    const { auth } = await LOGIN_METHODS['jwt from a Secret']!(
      { cluster, keeper },
      { policy: documentedPolicy(tenant.mount) },
    );
    const right = (await tenant.secret('credentials'))?.data?.['token'] ?? '';
    await keeper.replaceSecretData('credentials', { token: 'stale' });
    await applyBackend(tenant, auth);
    await tenant.apply(aSecret('db', FIELDS));
    await tenant.apply(aMigration('move', { to: 'team', select: { names: ['db'] } }));
    await tenant.untilReady('move', { status: 'False', reason: 'BackendNotReady' });
    const ready = (await tenant.backend('team')).status.conditions?.[0];
    expect(ready).toMatchObject({ status: 'False', reason: 'PermissionDenied' });
    expect(ready?.message).toMatch(/The server refused the login at auth\/jwt-[0-9a-f]+/);

    await keeper.replaceSecretData('credentials', { token: Buffer.from(right, 'base64').toString() });
    await tenant.untilReady('move', { status: 'True', reason: 'Completed' });
  });
});

describe('a backend with a token from a Secret', () => {
  it('uses the new one once the Secret has changed, although the old one is still good', async () => {
    const tenant = await stage().tenant();
    const { cluster } = stage();
    const keeper = keeperIn(tenant);
    const policy = documentedPolicy(tenant.mount);
    const denied = `path "${tenant.mount}/data/${pathOf(tenant, 'db')}" { capabilities = ["deny"] }`;
    const name = await keeper.storeSecretData({ token: await cluster.createToken(`${policy}\n${denied}`) });
    await applyBackend(tenant, { token: { secretRef: { name } } });
    await tenant.apply(aSecret('db', FIELDS));
    await tenant.apply(aMigration('move', { to: 'team', select: { names: ['db'] } }));
    await tenant.untilReady('move', { status: 'False', reason: 'PartiallyFailed' });

    await keeper.replaceSecretData(name, { token: await cluster.createToken(policy) });
    await eventually('the new token is used', async () => {
      return reasonOf(await requestRun(tenant, 'move')) === 'Completed';
    });
    expect(await kvData(tenant, pathOf(tenant, 'db'))).toEqual(FIELDS);
  });
});

describe('credentials that no backend may use', () => {
  /** With a login that would send a token of this ServiceAccount to the server. */
  const specOf = (serviceAccount: string, audience = 'keyferry.io/openbao') => {
    const { cluster } = stage();
    const account = { serviceAccountRef: { name: serviceAccount }, audiences: [audience] };
    const auth = { kubernetes: { role: 'any', ...account } };
    return { type: 'openbao', openbao: { address: cluster.baoUrl, caBundle: cluster.baoCaPem, auth } };
  };
  const aBackendWith = (spec: object) => {
    return { apiVersion: API_VERSION, kind: 'SecretBackend', metadata: { name: 'forbidden' }, spec };
  };
  const tokensOf = ({ namespace, name }: typeof OPERATOR_ACCOUNT | { namespace: string; name: string }) =>
    stage().api.requests.filter(({ path }) => path.endsWith(`/${namespace}/serviceaccounts/${name}/token`));

  it('are those of the operator, even for a ClusterSecretBackend', async () => {
    const { cluster } = stage();
    stage().allowErrors(/CREDENTIALS_FORBIDDEN/);
    await applyClusterBackend(cluster, 'forbidden', { spec: specOf(OPERATOR_ACCOUNT.name) });
    const ready = await untilBackend(
      async () => clusterBackend(cluster, 'forbidden'),
      'CredentialsForbidden',
    );
    expect(ready.message).toContain('This is the ServiceAccount of the operator (');
    expect(tokensOf(OPERATOR_ACCOUNT)).toEqual([]);
    await deleteClusterBackend(cluster, 'forbidden');
  });

  it.each([
    ['the control plane', 'kube-system', 'namespace-controller'],
    ['the namespace of the operator', OPERATOR_ACCOUNT.namespace, 'default'],
  ])('are those of %s', async (_whose, namespace, name) => {
    const { cluster } = stage();
    stage().allowErrors(/CREDENTIALS_FORBIDDEN/);
    await setAdmission(cluster, { allowBackendsInOwnNamespace: 'true' });
    const tenant = Tenant.at(cluster, namespace, 'none');
    await eventually('the apiserver knows the setting', async () => {
      await tenant.apply(aBackendWith(specOf(name)));
      return true;
    });
    await untilBackend(async () => tenant.backend('forbidden'), 'CredentialsForbidden');
    expect(tokensOf({ namespace, name })).toEqual([]);
    await tenant.delete('SecretBackend', 'forbidden');
    await setAdmission(cluster, { allowBackendsInOwnNamespace: null });
  });

  it('are tokens that the API server accepts, also without the admission policies', async () => {
    const { cluster } = stage();
    stage().allowErrors(/CREDENTIALS_FORBIDDEN/);
    await setAdmission(cluster, { audiencePrefix: '' });
    const tenant = await stage().tenant();
    await eventually('the apiserver knows the setting', async () => {
      await tenant.apply(aBackendWith(specOf('default', 'https://kubernetes.default.svc.cluster.local')));
      return true;
    });
    await untilBackend(async () => tenant.backend('forbidden'), 'CredentialsForbidden');
    expect(tokensOf({ namespace: tenant.namespace, name: 'default' })).toEqual([]);
    await setAdmission(cluster, { audiencePrefix: null });
  });
});

describe('an operator that stops', () => {
  it('revokes the tokens that it made', async () => {
    const tenant = await stage().tenant();
    const by = { cluster: stage().cluster, keeper: keeperIn(tenant) };
    const { auth, livingTokens } = await LOGIN_METHODS['cert']!(by, {
      policy: documentedPolicy(tenant.mount),
    });
    await applyBackend(tenant, auth);
    await tenant.apply(aSecret('db', FIELDS));
    await tenant.apply(aMigration('copy', { to: 'team', select: { names: ['db'] } }));
    await tenant.untilReady('copy');
    expect(await livingTokens()).toBe(1);
    await stage().operator.stop();
    expect(await livingTokens()).toBe(0);
    await stage().restartOperator();
  });
});
