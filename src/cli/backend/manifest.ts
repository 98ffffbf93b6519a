import { readFile } from 'node:fs/promises';
import { API_VERSION } from '#src/api/group.ts';
import { clusterSecretBackendSchemaOf, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { secretBackendSchemaOf } from '#src/api/v1alpha1/secret-backend.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { parseWith } from '#src/schema/parse.ts';
import { Problem } from '../problem.ts';
import { isSet, textOf, textsOf, type TypedFlags } from '../typed-flags.ts';
import { loginIn, type Credentials, type Login } from './auth.ts';

/** A backend as a person would write it. */
export interface BackendManifest {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: Backend['kind'];
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** What `backend create` creates. */
export interface NewBackend {
  readonly manifest: BackendManifest;
  /** Absent if it needs no Secret, or one that exists. */
  readonly credentials: Credentials | undefined;
  /** Where the Secrets of the backend are. */
  readonly secretNamespace: string;
}

/** The backend that the flags describe; the API server would accept it. Throws `Problem` otherwise. */
export async function newBackend(name: string, namespace: string, flags: TypedFlags): Promise<NewBackend> {
  const isCluster = isSet(flags, 'cluster');
  const allowed = textsOf(flags, 'allowNamespace');
  if (!isCluster && allowed.length > 0)
    throw new Problem('--allow-namespace is for a ClusterSecretBackend: add --cluster, or leave it out.');
  const { member, login } = await memberIn(name, flags);
  const type = textOf(flags, 'type') ?? '';
  const manifest: BackendManifest = {
    apiVersion: API_VERSION,
    kind: isCluster ? 'ClusterSecretBackend' : 'SecretBackend',
    metadata: isCluster ? { name } : { name, namespace },
    spec: { type, [type]: member, ...(isCluster ? { allowedNamespaces: allowed } : {}) },
  };
  refuseInvalid(manifest);
  const secretNamespace = isCluster ? (textOf(flags, 'clusterResourceNamespace') ?? '') : namespace;
  return { manifest, credentials: login?.credentials, secretNamespace };
}

interface Member {
  readonly member: object;
  readonly login?: Login;
}

async function memberIn(name: string, flags: TypedFlags): Promise<Member> {
  const type = textOf(flags, 'type');
  if (type === 'openbao') return openBaoIn(name, flags);
  if (type === 'kubernetes') return { member: {} };
  if (type !== 'directory')
    throw new Problem(
      '--type is missing. Say what kind of store it is: --type openbao|kubernetes|directory.',
    );
  const trailingNewline = textOf(flags, 'trailingNewline');
  return { member: present({ path: textOf(flags, 'path'), trailingNewline }) };
}

async function openBaoIn(name: string, flags: TypedFlags): Promise<Member> {
  const address = textOf(flags, 'address');
  if (address === undefined)
    throw new Problem('--address is missing, for example --address https://openbao.openbao.svc:8200.');
  const login = loginIn(name, flags);
  const kvVersion = textOf(flags, 'kvVersion');
  const member = {
    address,
    mount: textOf(flags, 'mount'),
    kvVersion: kvVersion === undefined ? undefined : Number(kvVersion),
    pathPrefix: textOf(flags, 'pathPrefix'),
    namespace: textOf(flags, 'baoNamespace'),
    tlsServerName: textOf(flags, 'tlsServerName'),
    caBundle: await fileIn(textOf(flags, 'caFile'), '--ca-file'),
    auth: login.auth,
  };
  return { member: present(member), login };
}

/** The text of a file that is not secret. */
export async function fileIn(path: string | undefined, flag: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch {
    throw new Problem(`${flag} ${path} cannot be read. Check the path and its permissions.`);
  }
}

/** Without the members that no flag sets: the API server has their defaults. */
function present(members: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** As the API server would, but before anything is asked of a person. */
function refuseInvalid(manifest: BackendManifest): void {
  const parsed = parseWith(schemaOf(manifest.kind), {
    ...manifest,
    metadata: { namespace: '', ...manifest.metadata, uid: '-', resourceVersion: '0', generation: 1 },
  });
  if (!parsed.ok)
    throw new Problem(`The backend is not valid: ${parsed.problems.join('; ')}. Nothing was created.`);
}

function schemaOf(kind: Backend['kind']) {
  return kind === 'SecretBackend'
    ? secretBackendSchemaOf(BACKEND_KINDS)
    : clusterSecretBackendSchemaOf(BACKEND_KINDS);
}
