import { randomBytes } from 'node:crypto';
import { aSecret } from '#test/builders/objects.ts';
import type { Tenant } from '#test/support/tenant.ts';

/** The one field of every document here. */
export const FIELD = 'value';

/** Name → bytes of many small documents. */
export type Documents = ReadonlyMap<string, Buffer>;

/** Every third value is binary, which costs the copy a marker before the data: two more requests to be killed in. */
export function someDocuments(count: number): Documents {
  return new Map(
    Array.from({ length: count }, (_, index) => {
      const name = `doc-${String(index).padStart(3, '0')}`;
      return [name, index % 3 === 0 ? binary() : Buffer.from(randomBytes(18).toString('base64'))];
    }),
  );
}

/** Never well-formed UTF-8. */
function binary(): Buffer {
  return Buffer.concat([Buffer.of(0xff), randomBytes(24)]);
}

/** Creates the documents as Secrets of the tenant. */
export async function plant(tenant: Tenant, documents: Documents): Promise<void> {
  const created = [...documents].map(async ([name, value]) =>
    tenant.apply(aSecret(name, { [FIELD]: value })),
  );
  await Promise.all(created);
}

/** What is stored at the KV server under one name. */
export interface Stored {
  /** Bytes of the field at the current version; undefined when that is deleted or has no such field. */
  readonly value: Buffer | undefined;
  /** How many versions there have ever been. */
  readonly versions: number;
}

interface DataReply {
  readonly data: {
    readonly data: Readonly<Record<string, string>> | null;
    readonly metadata: {
      readonly version: number;
      readonly custom_metadata: Readonly<Record<string, string>> | null;
    };
  };
}

/** Reads the KV server directly and decodes by itself, not with the code under test; undefined when nothing is there. */
export async function readStored(tenant: Tenant, name: string): Promise<Stored | undefined> {
  const { cluster, mount, namespace } = tenant;
  const path = `/v1/${mount}/data/${namespace}/${name}`;
  const reply = await cluster.baoClient.reply('GET', path, undefined, { 'x-vault-token': cluster.rootToken });
  if (!isDataReply(reply.body)) {
    if (reply.status === 404) return undefined;
    throw new Error(`GET ${path}: HTTP ${reply.status}`);
  }
  const { data, metadata } = reply.body.data;
  const text = data?.[FIELD];
  const encoding = isMarked(metadata.custom_metadata?.['keyferry-base64'], metadata.version)
    ? 'base64'
    : 'utf8';
  return {
    value: text === undefined ? undefined : Buffer.from(text, encoding),
    versions: metadata.version,
  };
}

/** `name@1,*@3-5`: which keys are base64, in which versions. */
function isMarked(marker: string | undefined, version: number): boolean {
  return (marker?.split(',') ?? []).some((mark) => {
    const [name, versions = ''] = mark.split('@');
    const [first = '', last = first] = versions.split('-');
    return (name === FIELD || name === '*') && Number(first) <= version && version <= Number(last);
  });
}

function isDataReply(body: unknown): body is DataReply {
  return typeof body === 'object' && body !== null && 'data' in body;
}

/** Names in the tenant's folder at the KV server, sorted. */
export async function storedNames(tenant: Tenant): Promise<readonly string[]> {
  const { cluster, mount, namespace } = tenant;
  const reply = await cluster.bao<{ data: { keys: string[] } }>('LIST', `${mount}/metadata/${namespace}`);
  return reply.data.keys.toSorted();
}

/** Names of the documents that are still Secrets, sorted. */
export async function remainingSources(tenant: Tenant, documents: Documents): Promise<readonly string[]> {
  const names = (await tenant.secrets()).map(({ metadata }) => metadata.name);
  return names.filter((name) => documents.has(name)).toSorted();
}
