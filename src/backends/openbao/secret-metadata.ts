import { z } from 'zod';
import type { Attributes } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import { jsonOrUndefined } from '#src/json/parse.ts';

/*
 * Labels and annotations of a Secret as entries of custom_metadata, for the way back:
 *
 *   keyferry-secret-1, keyferry-secret-2, …   {"labels":{…},"annotations":{…}} as JSON in ASCII, cut into parts
 *
 * One text for all of them: a name of an entry has at most 128 bytes and a value 512 that are printable and not empty, which
 * many labels and annotations are not. They belong to the path, not to one version of it: a value that is rotated there keeps
 * the labels of its Secret.
 */

const PREFIX = 'keyferry-secret-';
/** Values of custom_metadata: the limit of the server is 512 bytes. */
const PARTS = /.{1,512}/g;

type SecretMetadata = Pick<Attributes, 'labels' | 'annotations'>;

const Pairs = z.record(z.string(), z.string()).optional();
/** Drops `__proto__`, which is not a name of a label or annotation. */
const Stored = z.strictObject({ labels: Pairs, annotations: Pairs });

/** True for the name of an entry that this file writes. */
export function isSecretEntry(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** The entries for these labels and annotations; none if there are none. */
export function secretEntriesOf({ labels, annotations }: SecretMetadata): Readonly<Record<string, string>> {
  const stored = { ...partOf('labels', labels), ...partOf('annotations', annotations) };
  if (Object.keys(stored).length === 0) return {};
  const parts = inAscii(JSON.stringify(stored)).match(PARTS) ?? [];
  return Object.fromEntries(parts.map((part, index) => [`${PREFIX}${index + 1}`, part]));
}

/** Throws `ENCODING_CORRUPT` if the entries are not what `secretEntriesOf` writes. */
export function secretMetadataIn(
  customMetadata: ReadonlyMap<string, string>,
  target: string,
): SecretMetadata {
  const parts: string[] = [];
  for (
    let next = partAt(customMetadata, 1);
    next !== undefined;
    next = partAt(customMetadata, parts.length + 1)
  )
    parts.push(next);
  const count = [...customMetadata.keys()].filter(isSecretEntry).length;
  if (count === 0) return {};
  const stored = count === parts.length ? parse(parts.join('')) : undefined;
  if (stored !== undefined) return stored;
  throw new OperatorError('ENCODING_CORRUPT', {
    op: 'openbao.decode',
    target,
    detail: `The custom metadata ${PREFIX}1 and following are not whole.`,
  });
}

function partAt(customMetadata: ReadonlyMap<string, string>, number: number): string | undefined {
  return customMetadata.get(`${PREFIX}${number}`);
}

/** Sorted by name: equal pairs make equal entries. */
function partOf(name: string, pairs: Attributes['labels']): Readonly<Record<string, object>> {
  if (pairs === undefined || pairs.size === 0) return {};
  const sorted = [...pairs].toSorted(([left], [right]) => (left < right ? -1 : 1));
  return { [name]: Object.fromEntries(sorted) };
}

/** All characters that a server could refuse as not printable, as JSON escapes. */
function inAscii(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Undefined if it is not the metadata of a Secret. */
function parse(text: string): SecretMetadata | undefined {
  const parsed = Stored.safeParse(jsonOrUndefined(text));
  if (!parsed.success) return undefined;
  const { labels, annotations } = parsed.data;
  return {
    ...(labels === undefined ? {} : { labels: new Map(Object.entries(labels)) }),
    ...(annotations === undefined ? {} : { annotations: new Map(Object.entries(annotations)) }),
  };
}
