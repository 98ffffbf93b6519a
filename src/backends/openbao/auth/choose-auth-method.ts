import { OperatorError } from '#src/errors.ts';
import type { BackendCredentials, CredentialSource } from '../../credentials.ts';
import type { BaoClient } from '../client.ts';
import { AppRoleAuth } from './app-role.ts';
import { CertAuth } from './cert.ts';
import { JwtAuth } from './jwt.ts';
import type { JwtAuthOptions } from './jwt.ts';
import type { AuthMethod } from './method.ts';
import type { OpenBaoAuth } from './spec.ts';
import { TokenAuth } from './token.ts';

export interface AuthContext {
  readonly client: BaoClient;
  readonly credentials: CredentialSource;
  /** Namespace of the backend: every reference is in it. */
  readonly namespace: string;
}

/** The auth method that the spec names, with a record of each login. Throws as `chooseAuthMethod`. No I/O. */
export function recordedAuth(
  auth: OpenBaoAuth,
  context: AuthContext & { readonly credentials: BackendCredentials },
): AuthMethod {
  const method = chooseAuthMethod(auth, context);
  const { mountPath } = auth.kubernetes ?? auth.appRole ?? auth.jwt ?? auth.cert ?? {};
  const path = mountPath === undefined ? 'auth/token/lookup-self' : `auth/${mountPath}/login`;
  return {
    login: async (signal) => context.credentials.login(path, async () => method.login(signal), signal),
  };
}

/** The auth method that the spec names. Throws `SPEC_INVALID` if it names none. No I/O. */
export function chooseAuthMethod(auth: OpenBaoAuth, context: AuthContext): AuthMethod {
  const method =
    fromToken(auth, context) ??
    fromServiceAccount(auth, context) ??
    fromAppRole(auth, context) ??
    fromJwt(auth, context) ??
    fromCertificate(auth, context);
  if (method !== undefined) return method;
  throw new OperatorError('SPEC_INVALID', {
    op: 'openbao.create',
    target: context.namespace,
    detail: 'spec.openbao.auth names no method.',
  });
}

function fromToken({ token }: OpenBaoAuth, context: AuthContext): AuthMethod | undefined {
  return token && new TokenAuth({ ...context, secretRef: token.secretRef });
}

function fromServiceAccount({ kubernetes }: OpenBaoAuth, context: AuthContext): AuthMethod | undefined {
  if (kubernetes === undefined) return undefined;
  const { serviceAccountRef, audiences, mountPath, role } = kubernetes;
  const jwt = serviceAccountToken(context, serviceAccountRef.name, audiences);
  return new JwtAuth({ client: context.client, mountPath, role, ...jwt, op: 'openbao.auth.kubernetes' });
}

function fromAppRole({ appRole }: OpenBaoAuth, context: AuthContext): AuthMethod | undefined {
  if (appRole === undefined) return undefined;
  const { mountPath, roleId, secretIdRef } = appRole;
  const { read, target } = secretKey(context, secretIdRef);
  return new AppRoleAuth({ client: context.client, mountPath, roleId, readSecretId: read, target });
}

function fromJwt({ jwt }: OpenBaoAuth, context: AuthContext): AuthMethod | undefined {
  if (jwt === undefined) return undefined;
  const { mountPath, role, serviceAccountRef, audiences, secretRef } = jwt;
  const common = { client: context.client, mountPath, role, op: 'openbao.auth.jwt' };
  if (serviceAccountRef !== undefined) {
    return new JwtAuth({
      ...common,
      ...serviceAccountToken(context, serviceAccountRef.name, audiences ?? []),
    });
  }
  if (secretRef === undefined) return undefined;
  const { read, target } = secretKey(context, secretRef);
  return new JwtAuth({ ...common, readJwt: read, target });
}

function fromCertificate({ cert }: OpenBaoAuth, { client, namespace }: AuthContext): AuthMethod | undefined {
  if (cert === undefined) return undefined;
  const { mountPath, name, secretRef } = cert;
  return new CertAuth({ client, mountPath, name, target: `Secret ${namespace}/${secretRef.name}` });
}

function secretKey(
  { credentials, namespace }: AuthContext,
  { name, key }: { readonly name: string; readonly key: string },
) {
  return {
    read: (signal: AbortSignal) => credentials.readSecretKey(namespace, name, key, signal),
    target: `Secret ${namespace}/${name}`,
  };
}

function serviceAccountToken(
  { credentials, namespace }: AuthContext,
  name: string,
  audiences: readonly string[],
): Pick<JwtAuthOptions, 'readJwt' | 'target'> {
  return {
    readJwt: async (signal) => (await credentials.requestToken(namespace, name, audiences, signal)).token,
    target: `ServiceAccount ${namespace}/${name}`,
  };
}
