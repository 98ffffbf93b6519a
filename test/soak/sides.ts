import type { V1Secret } from '@kubernetes/client-node';
import type { Stored } from '#src/kube/wire.ts';
import { aSecret } from '#test/builders/objects.ts';
import { ReplyError } from '#test/cluster/json-client.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { isBinary, type Found } from './ledger.ts';

/*
 * How the model writes and reads both sides: as an administrator, past every proxy, decoding by itself. Each value is in two
 * fields, so that a half-written document is noticed.
 */

const FIELDS = ['value', 'copy'] as const;
/** Never well-formed UTF-8. */
const BINARY = Buffer.of(0xff, 0xfe);

function bytesOf(token: string): Buffer {
  return isBinary(token) ? Buffer.concat([BINARY, Buffer.from(token)]) : Buffer.from(token);
}

function tokenIn(fields: ReadonlyMap<string, Buffer>): Found {
  const [value, copy] = FIELDS.map((name) => fields.get(name));
  if (value === undefined || copy === undefined || fields.size !== FIELDS.length || !value.equals(copy))
    return {
      state: 'foreign',
      why: `fields ${[...fields].map(([key, bytes]) => `${key}=${bytes.toString()}`).join(' ')}`,
    };
  const hasMark = value.subarray(0, BINARY.length).equals(BINARY);
  const token = (hasMark ? value.subarray(BINARY.length) : value).toString();
  if (hasMark !== isBinary(token)) return { state: 'foreign', why: `${token} with other bytes` };
  return { state: 'present', token };
}

// --- Kubernetes ---

export async function putSecret(tenant: Tenant, name: string, token: string): Promise<void> {
  const bytes = bytesOf(token);
  await tenant.apply(aSecret(name, Object.fromEntries(FIELDS.map((field) => [field, bytes]))));
}

export async function deleteSecret({ cluster, namespace }: Tenant, name: string): Promise<void> {
  const { status } = await cluster.kubeClient.reply('DELETE', secretPath(namespace, name));
  if (status !== 404 && status >= 400) throw new Error(`deletion of the Secret ${name}: HTTP ${status}`);
}

export async function readSecret({ cluster, namespace }: Tenant, name: string): Promise<Found> {
  const { body, status } = await cluster.kubeClient.reply('GET', secretPath(namespace, name));
  if (status === 404) return { state: 'absent' };
  if (!isSecret(body)) throw new Error(`the Secret ${name}: HTTP ${status}`);
  return foundInSecret(body);
}

export function foundInSecret({ data = {} }: Pick<Stored<V1Secret>, 'data'>): Found {
  return tokenIn(new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64')])));
}

function secretPath(namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/secrets/${name}`;
}

function isSecret(body: unknown): body is Stored<V1Secret> {
  return typeof body === 'object' && body !== null && 'kind' in body && body.kind === 'Secret';
}

// --- the KV server ---

interface DataReply {
  readonly data: {
    readonly data: Readonly<Record<string, string>> | null;
    readonly metadata: {
      readonly version: number;
      readonly custom_metadata: Readonly<Record<string, string>> | null;
    };
  };
}

interface MetadataReply {
  readonly data: { readonly versions: Readonly<Record<string, { readonly deletion_time: string }>> };
}

export async function putPath(tenant: Tenant, name: string, token: string): Promise<void> {
  const data = Object.fromEntries(FIELDS.map((field) => [field, token]));
  await ask(tenant, 'POST', `data/${tenant.namespace}/${name}`, { data });
}

/** `how`: hidden, as `bao kv delete` does, or with its whole history. */
export async function deletePath(
  tenant: Tenant,
  name: string,
  how: 'hidden' | 'with its history',
): Promise<void> {
  await ask(tenant, 'DELETE', `${how === 'hidden' ? 'data' : 'metadata'}/${tenant.namespace}/${name}`);
}

export async function readPath(tenant: Tenant, name: string, version?: number): Promise<Found> {
  const query = version === undefined ? '' : `?version=${version}`;
  const reply = await ask<DataReply>(tenant, 'GET', `data/${tenant.namespace}/${name}${query}`);
  const { data, metadata } = reply?.data ?? {};
  if (data === undefined || data === null || metadata === undefined) return { state: 'absent' };
  const marker = metadata.custom_metadata?.['keyferry-base64'];
  // The marks of the oldest of very many versions go.
  const isForgotten = version !== undefined;
  const fields = Object.entries(data).map(([key, text]) => {
    const isText = text.startsWith('soak-');
    const isBase64 = isMarked(marker, key, metadata.version) || (isForgotten && !isText);
    return [key, Buffer.from(text, isBase64 ? 'base64' : 'utf8')] as const;
  });
  return tokenIn(new Map(fields));
}

/** Every version of a path in order, deleted ones as absent. */
export async function historyOf(tenant: Tenant, name: string): Promise<readonly Found[]> {
  const reply = await ask<MetadataReply>(tenant, 'GET', `metadata/${tenant.namespace}/${name}`);
  const numbers = Object.keys(reply?.data.versions ?? {}).map(Number);
  const found: Found[] = [];
  for (const version of numbers.toSorted((a, b) => a - b)) found.push(await readPath(tenant, name, version));
  return found;
}

/** `name@1,*@3-5`: which keys are base64, in which versions. */
function isMarked(marker: string | undefined, key: string, version: number): boolean {
  return (marker?.split(',') ?? []).some((mark) => {
    const [name, versions = ''] = mark.split('@');
    const [first = '', last = first] = versions.split('-');
    return (name === key || name === '*') && Number(first) <= version && version <= Number(last);
  });
}

/** The reply; undefined if nothing is there, or a deleted version. */
async function ask<T>(
  { cluster, mount }: Tenant,
  method: string,
  path: string,
  body?: unknown,
): Promise<T | undefined> {
  try {
    return await cluster.bao<T>(method, `${mount}/${path}`, body);
  } catch (error) {
    if (error instanceof ReplyError && error.status === 404) return undefined;
    throw error;
  }
}
