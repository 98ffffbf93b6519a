import { BACKUP_LABEL, CLAIM_LABEL } from './marks.ts';
import type { Attributes } from '#src/core/document.ts';
import { quoted } from '#src/errors/explain.ts';
import type { Refusal } from '../refusal.ts';

/*
 * Labels of a Secret ↔ metadata of a document. Three labels belong to Keyferry, not to the document: they are never
 * copied. Limits: apimachinery validation (IsQualifiedName, IsValidLabelValue).
 */

export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';

const KEYFERRY_LABELS: ReadonlySet<string> = new Set([MANAGED_BY_LABEL, BACKUP_LABEL, CLAIM_LABEL]);

const MAX_PREFIX_LENGTH = 253;
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** The metadata in these labels; undefined if there are none. */
export function metadataOf(labels: Readonly<Record<string, string>> = {}): Attributes['metadata'] {
  const metadata = Object.entries(labels).filter(([key]) => !KEYFERRY_LABELS.has(key));
  return metadata.length === 0 ? undefined : new Map(metadata);
}

/** The labels or annotations for these pairs. */
export function pairsOf(pairs: Attributes['metadata']): Readonly<Record<string, string>> {
  return Object.fromEntries(pairs ?? []);
}

/** Why this metadata cannot be labels, or undefined. */
export function labelRefusalOf(metadata: Attributes['metadata']): Refusal | undefined {
  for (const [key, value] of metadata ?? []) {
    if (KEYFERRY_LABELS.has(key)) return refused(`The label ${key} is reserved for Keyferry.`);
    if (!isQualifiedName(key) || (value !== '' && !NAME.test(value))) {
      return refused(
        `The label ${quoted(key)} cannot be one of a Secret: name and value are at most 63 letters, digits, "-", "_" and "."; a DNS name and "/" can be before the name.`,
      );
    }
  }
  return undefined;
}

/** A name, optionally after a DNS name and a slash. */
export function isQualifiedName(key: string): boolean {
  const slash = key.indexOf('/');
  const prefix = key.slice(0, Math.max(0, slash));
  const isPrefixValid = slash < 0 || (prefix.length <= MAX_PREFIX_LENGTH && PREFIX.test(prefix));
  return isPrefixValid && NAME.test(key.slice(slash + 1));
}

function refused(message: string): Refusal {
  return { reason: 'MetadataRefused', message };
}
