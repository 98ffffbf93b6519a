import { z } from 'zod';
import { hasCode, OperatorError } from '#src/errors.ts';
import { apiPath } from '#src/kube/api-path.ts';
import type { KubeClient } from '#src/kube/client.ts';
import { UNKNOWN_IDENTITY, type Probe } from '../driver.ts';

const OP = 'kube.probe';

const VersionReply = z.object({ gitVersion: z.string() });
const StateOfNamespace = z.object({ metadata: z.object({ deletionTimestamp: z.string().optional() }) });
const NamespaceReply = z.object({ metadata: z.object({ uid: z.string().min(1) }) });

/**
 * Without the right to get the kube-system namespace, the identity is unknown. Reports the version of the cluster and, as its identity, the uid of kube-system, stable for the life of the cluster.
 */
export async function probeCluster(client: KubeClient, signal: AbortSignal): Promise<Probe> {
  const version = await ask(client, { path: '/version', schema: VersionReply, signal });
  return {
    server: { product: 'Kubernetes', version: version.gitVersion },
    identity: await clusterIdentity(client, signal),
    capabilities: ['ConditionalWrite'],
  };
}

/** True while the namespace is being deleted. Throws `AUTH_DENIED` without the right to get it, and what KubeClient throws. */
export async function namespaceIsLeaving(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<boolean> {
  const path = apiPath(['api', 'v1', 'namespaces', namespace]);
  const { metadata } = await ask(client, { path, schema: StateOfNamespace, signal });
  return metadata.deletionTimestamp !== undefined;
}

async function clusterIdentity(client: KubeClient, signal: AbortSignal): Promise<string> {
  try {
    const path = '/api/v1/namespaces/kube-system';
    return (await ask(client, { path, schema: NamespaceReply, signal })).metadata.uid;
  } catch (thrown) {
    if (hasCode(thrown, 'AUTH_DENIED') || hasCode(thrown, 'NOT_FOUND')) return UNKNOWN_IDENTITY;
    throw thrown;
  }
}

async function ask<T>(
  client: KubeClient,
  question: { readonly path: string; readonly schema: z.ZodType<T>; readonly signal: AbortSignal },
): Promise<T> {
  const { path, schema, signal } = question;
  const reply = schema.safeParse(await client.request({ method: 'GET', path, op: OP, target: path, signal }));
  if (!reply.success) throw new OperatorError('REPLY_INVALID', { op: OP, target: path });
  return reply.data;
}
