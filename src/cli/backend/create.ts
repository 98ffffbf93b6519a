import { isDeepStrictEqual } from 'node:util';
import { resourceOf, SECRETS } from '#src/app/clients.ts';
import { hasCode } from '#src/errors.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { collectionPath, describeTarget, type Resource } from '#src/kube/resource.ts';
import { isKubeObject } from '#src/runtime/listing.ts';
import { ObjectClient } from '#src/runtime/object-client.ts';
import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { Problem } from '../problem.ts';
import { textOf, type TypedFlags } from '../typed-flags.ts';
import type { Credentials } from './auth.ts';
import { fileIn, newBackend, type NewBackend } from './manifest.ts';
import { printObject } from './print.ts';
import { readSecret } from './secret-input.ts';
import { kubectlName, toBackend } from './stored.ts';

/** The API server, and what shall be created there. */
export type Creating = NewBackend & { readonly cluster: Pick<UserCluster, 'client' | 'signal'> };

/**
 * `backend create NAME`. The backend is created first and owns the Secret with its credentials: what a crash leaves between
 * both is a backend without credentials, which says so, and the same command completes it. A deleted backend takes its Secret along.
 */
export async function createBackend(
  invocation: Invocation,
  name: string,
  flags: TypedFlags,
): Promise<number> {
  refuseSecretsInArguments(flags);
  const format = textOf(flags, 'output');
  if (format === 'yaml' || format === 'json') {
    const namespace = invocation.flags.namespace ?? (await namespaceOfContext(invocation));
    return printManifests(invocation, await newBackend(name, namespace, flags), format);
  }
  await using cluster = await UserCluster.open(invocation);
  const wanted = await newBackend(name, cluster.namespace, flags);
  await createAll(invocation, { ...wanted, cluster });
  invocation.output.note(`Test it: keyferry backend test ${name}${whereIn(wanted)}`);
  return 0;
}

async function namespaceOfContext(invocation: Invocation): Promise<string> {
  await using cluster = await UserCluster.open(invocation);
  return cluster.namespace;
}

/** Throws `Problem` for what is there already, and as `KubeClient.request`. */
export async function createAll(invocation: Invocation, creating: Creating): Promise<void> {
  const { cluster, credentials, manifest } = creating;
  const resource = resourceOf(manifest.kind);
  const existing = await incomplete(creating);
  // Before a person is asked for a secret: would the API server and its policies accept the backend?
  if (existing === undefined) await post(cluster, resource, manifest, { dryRun: 'All' });
  const data = credentials && (await secretData(invocation, credentials));
  const backend = existing ?? (await createStored(cluster, resource, manifest));
  if (existing === undefined)
    invocation.output.line(`${kubectlName(manifest.kind, manifest.metadata.name)} created`);
  if (data !== undefined) await addSecret(invocation, creating, backend, data);
}

/** They were typed: they are in the list of processes and in the history of the shell now. */
function refuseSecretsInArguments(flags: TypedFlags): void {
  const typed = (['token', 'secretId'] as const).find((name) => flags[name] !== undefined);
  if (typed === undefined) return;
  const flag = typed === 'token' ? '--token' : '--secret-id';
  throw new Problem(
    `${flag} is refused: every process of this machine can read the arguments of another one, and the history of the shell keeps them. ` +
      `Pipe the secret and add ${flag}-stdin. Revoke what you typed.`,
  );
}

function whereIn({ manifest }: NewBackend): string {
  return manifest.metadata.namespace === undefined ? ' --cluster' : ` -n ${manifest.metadata.namespace}`;
}

async function printManifests(
  { output }: Invocation,
  { manifest, credentials, secretNamespace }: NewBackend,
  format: 'yaml' | 'json',
): Promise<number> {
  if (credentials !== undefined) {
    const { name, key, type, certFile } = credentials;
    const kind = type === 'Opaque' ? 'generic' : 'generic --type=kubernetes.io/tls';
    const certificate = certFile === undefined ? '' : ` --from-file=tls.crt=${certFile}`;
    const command = `kubectl create secret ${kind} ${name} -n ${secretNamespace} --from-file=${key}=/dev/stdin${certificate}`;
    if (format === 'yaml') output.line(`# Its credentials, from standard input: ${command}`);
    else output.note(`Its credentials, from standard input: ${command}`);
  }
  await printObject(output, manifest, format);
  return 0;
}

/** The backend of an earlier run that did not come to its Secret. Throws `Problem` for any other that has the name. */
async function incomplete({
  cluster,
  manifest,
  credentials,
  secretNamespace,
}: Creating): Promise<KubeObject | undefined> {
  const { kind, metadata } = manifest;
  const object = await new ObjectClient(cluster.client, resourceOf(kind)).get(metadata, cluster.signal);
  const secret =
    credentials &&
    (await new ObjectClient(cluster.client, SECRETS).getMetadata(
      { namespace: secretNamespace, name: credentials.name },
      cluster.signal,
    ));
  if (secret !== undefined && (object === undefined || !isOwnedBy(secret, object)))
    throw new Problem(
      `The Secret ${secret.name} exists in the namespace ${secretNamespace}, and is not one of this backend, so it stays as it is. ` +
        `To log in with it, add --secret ${secret.name}; or choose another name for the backend.`,
    );
  if (object === undefined) return undefined;
  if (credentials !== undefined && secret === undefined && hasSpec(object, manifest)) return object;
  throw new Problem(
    `${kubectlName(kind, metadata.name)} exists already. Look at it: keyferry backend describe ${metadata.name}; change it with kubectl edit.`,
  );
}

function isOwnedBy(secret: KubeObject['metadata'], { metadata }: KubeObject): boolean {
  const owners =
    'ownerReferences' in secret && Array.isArray(secret.ownerReferences) ? secret.ownerReferences : [];
  return owners.some(
    (owner: unknown) => owner instanceof Object && 'uid' in owner && owner.uid === metadata.uid,
  );
}

/** Compared as parsed: the API server adds the defaults. */
function hasSpec(object: KubeObject, manifest: NewBackend['manifest']): boolean {
  const { metadata } = object;
  const stored = toBackend(object)?.spec;
  return stored !== undefined && isDeepStrictEqual(stored, toBackend({ ...manifest, metadata })?.spec);
}

async function secretData(
  { streams, output }: Invocation,
  { what, flag, isPiped, key, certFile }: Credentials,
): Promise<Readonly<Record<string, string>>> {
  const certificate = await fileIn(certFile, '--cert-file');
  const secret = await readSecret(streams, output, { what, flag, isPiped, hasLines: key === 'tls.key' });
  return {
    [key]: secret.toString('base64'),
    ...(certificate === undefined ? {} : { 'tls.crt': Buffer.from(certificate).toString('base64') }),
  };
}

async function addSecret(
  { output }: Invocation,
  { cluster, manifest, credentials, secretNamespace }: Creating,
  backend: KubeObject,
  data: Readonly<Record<string, string>>,
): Promise<void> {
  if (credentials === undefined) return;
  const { apiVersion, kind } = manifest;
  const { name, uid } = backend.metadata;
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: credentials.name,
      namespace: secretNamespace,
      labels: { 'app.kubernetes.io/managed-by': 'keyferry' },
      ownerReferences: [{ apiVersion, kind, name, uid }],
    },
    type: credentials.type,
    data,
  };
  try {
    await createStored(cluster, SECRETS, secret);
  } catch (thrown) {
    output.note(
      `${kubectlName(kind, name)} exists now, and has no credentials: run the same command again to complete it, or delete it.`,
    );
    throw thrown;
  }
  output.line(`secret/${credentials.name} created`);
}

type NewObject = { readonly metadata: { readonly name: string; readonly namespace?: string } };

async function createStored(
  cluster: Creating['cluster'],
  resource: Resource,
  object: NewObject,
): Promise<KubeObject> {
  const reply = await post(cluster, resource, object, {});
  if (isKubeObject(reply)) return reply;
  const target = describeTarget(resource, object.metadata);
  throw new Problem(
    `The API server answered the creation of ${target} with something else. Look at it with kubectl get.`,
  );
}

/** `dryRun: All`: the API server judges the object and stores nothing. */
async function post(
  { client, signal }: Creating['cluster'],
  resource: Resource,
  object: NewObject,
  query: { readonly dryRun?: 'All' },
): Promise<unknown> {
  const target = describeTarget(resource, object.metadata);
  try {
    return await client.request({
      method: 'POST',
      path: collectionPath(resource, object.metadata.namespace),
      query: { fieldValidation: 'Strict', fieldManager: 'keyferry', ...query },
      body: object,
      op: 'backend.create',
      target,
      // Secrets are in the core group.
      ...(resource.group === '' ? {} : { holdsNoValue: true as const }),
      signal,
    });
  } catch (thrown) {
    if (!hasCode(thrown, 'ALREADY_EXISTS')) throw thrown;
    throw new Problem(
      `Another client created ${target} meanwhile; it stays as it is. Run the command again.`,
    );
  }
}
