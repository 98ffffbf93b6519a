import type { BackendSpec } from '#src/backends/spec.ts';

type OpenBaoAuth = NonNullable<BackendSpec['openbao']>['auth'];

/** How a backend logs in, in words: names of roles, Secrets and ServiceAccounts, never what is in them. */
export function loginOf({ token, kubernetes, appRole, jwt, cert }: OpenBaoAuth): string {
  const ways = [
    token && `token in the Secret ${token.secretRef.name}`,
    kubernetes && `ServiceAccount ${kubernetes.serviceAccountRef.name} ${byRole(kubernetes)}`,
    appRole && `secret id in the Secret ${appRole.secretIdRef.name}, auth/${appRole.mountPath}`,
    jwt && `${holderOf(jwt)} ${byRole(jwt)}`,
    cert && `client certificate in the Secret ${cert.secretRef.name}, auth/${cert.mountPath}`,
  ];
  return ways.find((way) => way !== undefined) ?? '';
}

function holderOf({ serviceAccountRef, secretRef }: NonNullable<OpenBaoAuth['jwt']>): string {
  if (serviceAccountRef !== undefined) return `ServiceAccount ${serviceAccountRef.name}`;
  return `JWT in the Secret ${secretRef?.name ?? ''}`;
}

function byRole({ role, mountPath }: { readonly role: string; readonly mountPath: string }): string {
  return `as role ${role} of auth/${mountPath}`;
}
