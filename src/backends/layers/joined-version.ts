import { createHash } from 'node:crypto';
import type { Version } from '#src/core/document.ts';

/** A part of a joined document, by its name in the folder. */
export type PartVersion = readonly [name: string, version: Version];

/**
 * The version of a document that consists of these parts: another one if a part changes, is made again, appears or
 * disappears. It is made of names and versions only, never of a value, and fits in a row. An identity of a part that must not
 * be recorded (`isEphemeral`) is only in the identity, which is not recorded either: it can depend on a value.
 */
export function joinedVersion(parts: readonly PartVersion[]): Version {
  const sorted = parts.toSorted(([left], [right]) => (left < right ? -1 : 1));
  const identities = sorted.map(([name, { identity }]) => [name, identity]);
  const revisions = sorted.map(([name, version]) => [name, recordable(version), version.revision]);
  const isEphemeral = sorted.some(([, version]) => version.isEphemeral === true);
  return {
    identity: tokenOf(identities),
    revision: tokenOf(revisions),
    ...(isEphemeral ? { isEphemeral } : {}),
  };
}

function recordable({ identity, isEphemeral }: Version): string {
  return isEphemeral === true ? '' : identity;
}

/** 43 characters. */
function tokenOf(texts: readonly (readonly string[])[]): string {
  return createHash('sha256').update(JSON.stringify(texts)).digest('base64url');
}
