import { createHmac } from 'node:crypto';
import type { Version } from '#src/core/document.ts';
import type { SecretValue } from '#src/core/secret-value.ts';

/** What a row shows as the version: there is none, and anything derived from the value would be a digest of it. */
const NO_REVISION = 'unversioned';

/**
 * Stands in for the version that KV version 1 does not have: two reads with the same fields and bytes have the same one.
 * The identity is an HMAC under a random key that this process never shows or stores, so it means nothing to anybody
 * else and nothing after a restart; it is compared in memory and shown nowhere.
 */
export function fingerprintOf(fields: ReadonlyMap<string, SecretValue>, key: Uint8Array): Version {
  const hmac = createHmac('sha256', key);
  const names = [...fields.keys()].toSorted();
  for (const name of names) {
    addPart(Buffer.from(name, 'utf8'));
    addPart(fields.get(name)?.reveal() ?? Buffer.alloc(0));
  }
  return { identity: hmac.digest('base64url'), revision: NO_REVISION, isEphemeral: true };

  /** Its length first, so that no two documents run together into the same bytes. */
  function addPart(bytes: Buffer): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    hmac.update(length).update(bytes);
  }
}
