/** The manifests of a platform engineer: a folder in OpenBao for the team, and the backends and migrations that use it. */

export const MOUNT = 'demo';
export const FOLDER = 'k8s';
export const ROLE = 'payments-migration';
export const SERVICE_ACCOUNT = 'payments-vault';
export const AUDIENCE = 'keyferry.io/openbao';
export const SOURCE_NAMESPACE = 'payments';
export const COPY_NAMESPACE = 'payments-copy';

/** Namespaces whose documents get new names, so that old names are removed. */
const RE_KEYED_NAMESPACES = ['tools', 'sessions'];

/** The minimum policy for a copy in both directions, and for following what changes; only namespaces that re-key may delete in OpenBao. */
export const POLICY = `
path "${MOUNT}/data/${FOLDER}/*"     { capabilities = ["create", "update", "read"] }
path "${MOUNT}/metadata/${FOLDER}/*" { capabilities = ["create", "update", "patch", "read", "list"] }
path "${MOUNT}/metadata/${FOLDER}"   { capabilities = ["list"] }
path "${MOUNT}/detailed-metadata/${FOLDER}/*" { capabilities = ["list"] }
path "${MOUNT}/config"               { capabilities = ["read"] }
${RE_KEYED_NAMESPACES.map((name) => `path "${MOUNT}/delete/${FOLDER}/${name}/*" { capabilities = ["update"] }`).join('\n')}
${RE_KEYED_NAMESPACES.map((name) => `path "${MOUNT}/undelete/${FOLDER}/${name}/*" { capabilities = ["update"] }`).join('\n')}
`;

const API_VERSION = 'keyferry.io/v1alpha1';

function object(kind: string, namespace: string, name: string, spec: object): object {
  return { apiVersion: API_VERSION, kind, metadata: { namespace, name }, spec };
}

/** The backends `kubernetes` and `bao` of a namespace, and the ServiceAccount that `bao` logs in with. */
export function backends(
  namespace: string,
  server: { address: string; caBundle: string },
): readonly object[] {
  const auth = {
    kubernetes: { role: ROLE, serviceAccountRef: { name: SERVICE_ACCOUNT }, audiences: [AUDIENCE] },
  };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name: SERVICE_ACCOUNT } },
    object('SecretBackend', namespace, 'kubernetes', { type: 'kubernetes', kubernetes: {} }),
    object('SecretBackend', namespace, 'bao', {
      type: 'openbao',
      openbao: { ...server, mount: MOUNT, pathPrefix: FOLDER, auth },
    }),
  ];
}

/** The backend `files`: the folder of the namespace. */
export function filesBackend(namespace: string): object {
  return object('SecretBackend', namespace, 'files', {
    type: 'directory',
    directory: { trailingNewline: 'Strip' },
  });
}

export function migrationOf(namespace: string, name: string, spec: object): object {
  return object('SecretMigration', namespace, name, spec);
}

/** Copies every Secret of the namespace to OpenBao. */
export function migrationThere(): object {
  return object('SecretMigration', SOURCE_NAMESPACE, 'payments', {
    source: { backendRef: { name: 'kubernetes' } },
    destination: { backendRef: { name: 'bao' } },
    select: { all: true },
    mapping: { path: '{namespace}/{name}' },
  });
}

/** Copies the documents in OpenBao to another namespace. */
export function migrationBack(): object {
  return object('SecretMigration', COPY_NAMESPACE, 'payments-back', {
    source: { backendRef: { name: 'bao' } },
    destination: { backendRef: { name: 'kubernetes' } },
    select: { all: true },
    mapping: { path: `${SOURCE_NAMESPACE}/{name}` },
  });
}
