import type { Address, Attributes, ReadResult, StoredDocument } from '#src/core/document.ts';
import type { JoinedKeys } from '#src/core/mapping/joined-keys.ts';
import type { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import { quoted } from '#src/errors/explain.ts';
import { joinedVersion } from './joined-version.ts';

/*
 * One document of the documents in a folder. It has all of their values or none: a part that is missing fails it by name.
 */

/** More than any flat store holds in one document: the values of a folder are in memory together. */
export const MAX_JOINED_BYTES = 2 * 1024 * 1024;

/** What was read of each part, by address. */
export type Parts = ReadonlyMap<Address, ReadResult>;

/** Throws `PARTS_REFUSED` for a part that cannot be joined, and `PARTS_COLLIDE`. */
export function joinedResult(address: Address, parts: Parts, keys: JoinedKeys): ReadResult {
  const all = [...parts].map(([part, result]) => ({ name: part.slice(address.length + 1), result }));
  const documents = all.flatMap(({ name, result }) =>
    result.state === 'present' ? [{ name, document: result.document }] : [],
  );
  if (documents.length === 0) return valueless(all);
  const missing = all.find(({ result }) => result.state !== 'present');
  if (missing !== undefined) throw refused(address, `Part ${quoted(missing.name)} has no value.`);
  const unfinished = documents.find(({ document }) => document.unfinished === true);
  if (unfinished !== undefined)
    throw refused(address, `A write of part ${quoted(unfinished.name)} was cut off.`);
  const versions = documents.map(({ name, document }) => [name, document.version] as const);
  const document: StoredDocument = {
    address,
    fields: joinedFields(address, documents, keys),
    attributes: joinedAttributes(documents.map(({ document: part }) => part)),
    version: joinedVersion(versions),
  };
  return { state: 'present', document };
}

export function tooLarge(address: Address): OperatorError {
  return refused(address, `Together they have more than ${MAX_JOINED_BYTES / 1024 / 1024} MiB.`);
}

interface Part {
  readonly name: string;
  readonly document: StoredDocument;
}

/** Every part is deleted, or has no version. */
function valueless(
  parts: readonly { readonly name: string; readonly result: ReadResult }[],
): Exclude<ReadResult, { state: 'present' }> {
  const versions: (readonly [string, StoredDocument['version']])[] = [];
  let isExpired = true;
  for (const { name, result } of parts) {
    if (result.state !== 'deleted') continue;
    versions.push([name, result.version]);
    isExpired &&= result.expired === true;
  }
  if (versions.length === 0) return { state: 'absent' };
  return { state: 'deleted', version: joinedVersion(versions), ...(isExpired ? { expired: true } : {}) };
}

function joinedFields(
  address: Address,
  parts: readonly Part[],
  keys: JoinedKeys,
): ReadonlyMap<string, SecretValue> {
  const fields = new Map<string, SecretValue>();
  const origins = new Map<string, string>();
  for (const { name, document } of parts) {
    if (keys.needsOneKey && document.fields.size !== 1)
      throw refused(
        address,
        `Part ${quoted(name)} does not have exactly one key, and its name is to be the key.`,
      );
    for (const [key, value] of document.fields) {
      const to = keys.keyOf(name, key);
      const other = origins.get(to);
      if (other !== undefined) throw collision(address, to, [other, name]);
      origins.set(to, name);
      fields.set(to, value);
    }
  }
  return fields;
}

/**
 * It expires with the first part that does. Custom metadata that all parts have alike are its own; types, labels and
 * annotations are those of a whole Secret, which a part is not any more.
 */
function joinedAttributes(parts: readonly StoredDocument[]): Attributes {
  const ends = parts.flatMap(({ attributes: { expiresAt } }) => (expiresAt === undefined ? [] : [expiresAt]));
  const [expiresAt] = ends.toSorted((left, right) => Date.parse(left) - Date.parse(right));
  const [first, ...rest] = parts.map(({ attributes }) => attributes.metadata);
  const shared = [...(first ?? [])].filter(([key, value]) =>
    rest.every((other) => other?.get(key) === value),
  );
  return {
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(shared.length === 0 ? {} : { metadata: new Map(shared) }),
  };
}

function refused(target: Address, detail: string): OperatorError {
  return new OperatorError('PARTS_REFUSED', { op: 'join.read', target, detail });
}

function collision(target: Address, key: string, parts: readonly string[]): OperatorError {
  const [one = '', other = ''] = parts.toSorted();
  const detail = `${quoted(key)} of parts ${quoted(one)} and ${quoted(other)}.`;
  return new OperatorError('PARTS_COLLIDE', { op: 'join.read', target, detail });
}
