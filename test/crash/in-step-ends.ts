import type { V1Secret } from '@kubernetes/client-node';
import type { Stored } from '#src/kube/wire.ts';
import { kvData, kvMetadata, pathOf } from '#test/support/queries.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { FIELD, readStored } from './documents.ts';

/** The only document of each tenant. */
export const NAME = 'doc';
/** Not well-formed UTF-8. */
const BINARY = Buffer.of(0xff);

/** `secret` in Kubernetes, `path` in the KV server. */
export type End = 'secret' | 'path';

/** What a Secret has of a value: binary, which costs KV a marker before the data. */
export function bytesOf(value: string): Buffer {
  return Buffer.concat([BINARY, Buffer.from(value)]);
}

/** The value in the bytes of a field, as text or binary. */
function valueOf(bytes: Buffer): string {
  return (bytes[0] === BINARY[0] ? bytes.subarray(1) : bytes).toString();
}

/** The value at both ends, undefined where there is none, and the number of versions of the path. */
export async function endsOf(
  tenant: Tenant,
): Promise<Readonly<Record<End, string | undefined>> & { readonly version: number }> {
  const secret = await tenant.secret(NAME);
  const { value, versions = 0 } = (await readStored(tenant, NAME)) ?? {};
  return {
    secret: valueIn(secret),
    path: value === undefined ? undefined : valueOf(value),
    version: versions,
  };
}

/**
 * All values that can be read: in Secrets, also in copies, and in every version of the path. The marks of a version that was
 * prepared and not written do not count: another client can have written it, and a reader sees that they do not fit.
 */
export async function kept(tenant: Tenant): Promise<ReadonlySet<string>> {
  const inSecrets = (await tenant.secrets()).map(valueIn);
  const path = pathOf(tenant, NAME);
  const versions = Object.keys((await kvMetadata(tenant, path))?.versions ?? {});
  const inPath = versions.map(async (version) => {
    const text = (await kvData(tenant, path, Number(version)))[FIELD] ?? '';
    const bytes = Buffer.from(text, 'base64');
    return bytes[0] === BINARY[0] ? valueOf(bytes) : text;
  });
  return new Set([...inSecrets, ...(await Promise.all(inPath))].filter((value) => value !== undefined));
}

function valueIn(secret: Pick<Stored<V1Secret>, 'data'> | undefined): string | undefined {
  const encoded = secret?.data?.[FIELD];
  return encoded === undefined ? undefined : valueOf(Buffer.from(encoded, 'base64'));
}
