import type { Probe } from '../driver.ts';

/*
 * Versions that write values in plain text into their own audit log, from the advisories of the servers. They tell a user
 * what to check; nothing is decided by them, because a source build has a version of its own.
 */

type Version = readonly [major: number, minor: number, patch: number];

interface Advisory {
  readonly product: string;
  /** The first version with the correction. */
  readonly before: Version;
  readonly ids: string;
}

const ADVISORIES: readonly Advisory[] = [
  // GHSA-rc54-2g2c-g36g and GHSA-ghfh-fmx4-26h8. They name 2.4.2; the changelog of OpenBao has the corrections in 2.4.3.
  { product: 'OpenBao', before: [2, 4, 3], ids: 'CVE-2025-62705, CVE-2025-62513' },
  // GHSA-rc54-2g2c-g36g: "continues to impact Vault as of v1.20.4". Nothing is known of later versions.
  { product: 'Vault', before: [1, 20, 5], ids: 'CVE-2025-62705' },
];

/** A warning about this server as a sentence and what to do, or undefined. A version such as 2.0.0-HEAD tells nothing. */
export function auditLogWarningOf({ product, version }: Probe['server']): string | undefined {
  const found = versionOf(version);
  const known = ADVISORIES.find((each) => each.product === product);
  if (found === undefined || known === undefined || !isBefore(found, known.before)) return undefined;
  return `This version of ${product} can write values in plain text into its own audit log (${known.ids}). Update the server, and restrict who reads that log.`;
}

/** Vault Enterprise adds `+ent`. */
function versionOf(text: string): Version | undefined {
  const parts = /^v?([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})(?:\+[A-Za-z0-9.]{1,64})?$/.exec(text);
  return parts === null ? undefined : [Number(parts[1]), Number(parts[2]), Number(parts[3])];
}

function isBefore(version: Version, other: Version): boolean {
  const at = version.findIndex((part, index) => part !== other[index]);
  return at >= 0 && (version[at] ?? 0) < (other[at] ?? 0);
}
