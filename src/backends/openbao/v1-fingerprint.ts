import { createHmac } from 'node:crypto';
import type { Version } from '#src/core/document.ts';
import type { SecretValue } from '#src/core/secret-value.ts';

/** Version in a row: there is none, and a version derived from the value would be a digest of it. */
const NO_REVISION = 'unversioned';

/**
 * Replaces the version that KV version 1 does not have: two reads of the same keys and bytes have the same fingerprint.
 * The identity is an HMAC under a random key that this process never shows or stores, so it has no meaning elsewhere or
 * after a restart. It is only compared in memory and never shown.
 */
export function fingerprintOf(fields: ReadonlyMap<string, SecretValue>, key: Uint8Array): Version {
  const hmac = createHmac('sha256', key);
  const names = [...fields.keys()].toSorted();
  for (const name of names) {
    addPart(Buffer.from(name, 'utf8'));
    const value = fields.get(name);
    addPart(value?.reveal() ?? Buffer.alloc(0));
    addPart(Buffer.of(value?.isJson === true ? 1 : 0));
  }
  return { identity: hmac.digest('base64url'), revision: NO_REVISION, isEphemeral: true };

  /** Adds the length first, so that different documents never produce the same bytes. */
  function addPart(bytes: Buffer): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    hmac.update(length).update(bytes);
  }
}
