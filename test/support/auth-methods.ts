import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { uniqueName, type Cluster } from '#test/cluster/cluster.ts';
import { createAuthority, issueCertificate } from '#test/cluster/pki.ts';
import { pkiFile } from '#test/cluster/state.ts';

/** Properties of the tokens that a login issues. */
export interface TokenTerms {
  /** HCL. */
  readonly policy: string;
  /** Default: 3600. */
  readonly ttlSeconds?: number;
  readonly numUses?: number;
  readonly type?: 'service' | 'batch';
}

/** An auth method of the server, set up for one test, and the spec of a backend that uses it. */
export interface PreparedAuth {
  readonly auth: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Path of the request that counts as a login. */
  readonly loginPath: string;
  /** Revokes every issued token, as an administrator does; replaces a stored one first. */
  readonly endTokens: () => Promise<void>;
  /** Number of valid tokens of this method. */
  readonly livingTokens: () => Promise<number>;
}

/** Stores the Secrets with the credentials. */
export interface CredentialKeeper {
  readonly namespace: string;
  /** Stores a Secret and returns its name. */
  storeSecretData(data: Readonly<Record<string, string>>, type?: string): Promise<string>;
  replaceSecretData(name: string, data: Readonly<Record<string, string>>): Promise<void>;
}

export interface PreparedBy {
  readonly cluster: Cluster;
  readonly keeper: CredentialKeeper;
}

type Prepare = (by: PreparedBy, terms: TokenTerms) => Promise<PreparedAuth>;

const Leases = z.object({ data: z.object({ keys: z.array(z.string()) }) });

const AUDIENCE = 'keyferry.io/openbao';
const ROLE = 'mover';

/** Methods with a login, by which Keyferry gets its own token. */
export const LOGIN_METHODS: Readonly<Record<string, Prepare>> = {
  kubernetes: prepareKubernetes,
  appRole: prepareAppRole,
  'jwt with a ServiceAccount': (by, terms) => prepareJwt(by, terms, 'serviceAccountRef'),
  'jwt from a Secret': (by, terms) => prepareJwt(by, terms, 'secretRef'),
  cert: prepareCert,
};

export const ALL_METHODS: Readonly<Record<string, Prepare>> = { token: prepareToken, ...LOGIN_METHODS };

async function tokenFields({ cluster }: PreparedBy, terms: TokenTerms): Promise<object> {
  const policy = uniqueName('auth');
  await cluster.bao('PUT', `sys/policies/acl/${policy}`, { policy: terms.policy });
  return {
    token_policies: [policy],
    token_ttl: `${terms.ttlSeconds ?? 3600}s`,
    token_num_uses: terms.numUses ?? 0,
    token_type: terms.type ?? 'default',
  };
}

async function enable({ cluster }: PreparedBy, type: string): Promise<string> {
  const mountPath = uniqueName(type);
  await cluster.bao('POST', `sys/auth/${mountPath}`, { type });
  return mountPath;
}

function prepared({ cluster }: PreparedBy, mountPath: string, auth: PreparedAuth['auth']): PreparedAuth {
  return {
    auth,
    loginPath: `/v1/auth/${mountPath}/login`,
    endTokens: async () => {
      await cluster.bao('POST', `sys/leases/revoke-prefix/auth/${mountPath}/login`, { sync: true });
    },
    livingTokens: async () => {
      const leases = `/v1/sys/leases/lookup/auth/${mountPath}/login/?list=true`;
      const root = { 'x-vault-token': cluster.rootToken };
      const { status, body } = await cluster.baoClient.reply('GET', leases, undefined, root);
      return status === 404 ? 0 : Leases.parse(body).data.keys.length;
    },
  };
}

async function prepareToken({ cluster, keeper }: PreparedBy, terms: TokenTerms): Promise<PreparedAuth> {
  const policy = uniqueName('auth');
  await cluster.bao('PUT', `sys/policies/acl/${policy}`, { policy: terms.policy });
  const create = async (): Promise<string> => {
    const { auth } = await cluster.bao<{ auth: { client_token: string } }>('POST', 'auth/token/create', {
      policies: [policy],
      ttl: `${terms.ttlSeconds ?? 3600}s`,
      num_uses: terms.numUses ?? 0,
    });
    return auth.client_token;
  };
  let token = await create();
  // A file from an editor ends in a newline.
  const name = await keeper.storeSecretData({ token: `${token}\n` });
  const isAlive = async (): Promise<boolean> =>
    (
      await cluster.baoClient.reply(
        'POST',
        '/v1/auth/token/lookup',
        { token },
        {
          'x-vault-token': cluster.rootToken,
        },
      )
    ).status === 200;
  return {
    auth: { token: { secretRef: { name } } },
    loginPath: '/v1/auth/token/lookup-self',
    endTokens: async () => {
      const old = token;
      token = await create();
      await keeper.replaceSecretData(name, { token: `${token}\n` });
      await cluster.bao('POST', 'auth/token/revoke', { token: old });
    },
    livingTokens: async () => ((await isAlive()) ? 1 : 0),
  };
}

async function prepareKubernetes(by: PreparedBy, terms: TokenTerms): Promise<PreparedAuth> {
  const mountPath = uniqueName('kubernetes');
  await by.cluster.enableKubernetesAuth(mountPath);
  await by.cluster.bao('POST', `auth/${mountPath}/role/${ROLE}`, {
    bound_service_account_names: ['default'],
    bound_service_account_namespaces: [by.keeper.namespace],
    audience: AUDIENCE,
    ...(await tokenFields(by, terms)),
  });
  const account = { serviceAccountRef: { name: 'default' }, audiences: [AUDIENCE] };
  const kubernetes = { mountPath, role: ROLE, ...account };
  return prepared(by, mountPath, { kubernetes });
}

async function prepareAppRole(by: PreparedBy, terms: TokenTerms): Promise<PreparedAuth> {
  const { cluster, keeper } = by;
  const mountPath = await enable(by, 'approle');
  const role = `auth/${mountPath}/role/${ROLE}`;
  await cluster.bao('POST', role, await tokenFields(by, terms));
  const { data } = await cluster.bao<{ data: { role_id: string } }>('GET', `${role}/role-id`);
  const made = await cluster.bao<{ data: { secret_id: string } }>('POST', `${role}/secret-id`, {});
  const name = await keeper.storeSecretData({ 'secret-id': `${made.data.secret_id}\n` });
  return prepared(by, mountPath, { appRole: { mountPath, roleId: data.role_id, secretIdRef: { name } } });
}

async function prepareJwt(
  by: PreparedBy,
  terms: TokenTerms,
  reference: 'serviceAccountRef' | 'secretRef',
): Promise<PreparedAuth> {
  const { cluster, keeper } = by;
  const mountPath = await enable(by, 'jwt');
  await cluster.bao('POST', `auth/${mountPath}/config`, {
    jwt_validation_pubkeys: [readFileSync(pkiFile(cluster.folder, 'service-account', 'pub'), 'utf8')],
  });
  await cluster.bao('POST', `auth/${mountPath}/role/${ROLE}`, {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: [AUDIENCE],
    bound_subject: `system:serviceaccount:${keeper.namespace}:default`,
    ...(await tokenFields(by, terms)),
  });
  const jwt = { mountPath, role: ROLE };
  if (reference === 'serviceAccountRef') {
    const account = { serviceAccountRef: { name: 'default' }, audiences: [AUDIENCE] };
    return prepared(by, mountPath, { jwt: { ...jwt, ...account } });
  }
  const token = await cluster.requestToken(keeper.namespace, 'default', { audiences: [AUDIENCE] });
  const name = await keeper.storeSecretData({ token });
  return prepared(by, mountPath, { jwt: { ...jwt, secretRef: { name } } });
}

async function prepareCert(by: PreparedBy, terms: TokenTerms): Promise<PreparedAuth> {
  const mountPath = await enable(by, 'cert');
  const authority = await createAuthority('clients');
  await by.cluster.bao('POST', `auth/${mountPath}/certs/${ROLE}`, {
    certificate: authority.certificate,
    allowed_common_names: ['payments'],
    ...(await tokenFields(by, terms)),
  });
  const pair = await issueCertificate(authority, { commonName: 'payments', usages: ['client'] });
  const name = await by.keeper.storeSecretData(
    { 'tls.crt': pair.certificate, 'tls.key': pair.key },
    'kubernetes.io/tls',
  );
  return prepared(by, mountPath, { cert: { mountPath, name: ROLE, secretRef: { name } } });
}
