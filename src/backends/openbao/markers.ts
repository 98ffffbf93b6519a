import type { Attributes } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Refusal } from '../driver.ts';

/*
 * The custom_metadata entries for what JSON text cannot represent. custom_metadata belongs to the path, not to one
 * version of it, so an entry that an overwrite adds names the first version for which it is valid: older versions stay
 * readable, and the marker can be written before the data.
 *
 *   keyferry-base64     comma list of `name` or `name@version`; `*` is every key; absent: all values are text
 *   keyferry-type       type of the Kubernetes Secret when it is not Opaque
 *   keyferry-immutable  "true" when the Secret is immutable
 *   keyferry-lifetime   only while a document that expires is being written: the delete_version_after, in seconds, that its
 *                       path must have afterwards (0: none). To a reader it means that the write was cut off
 *
 * All other entries are metadata: they are copied with the document and have no meaning here.
 */
export const BASE64_MARKER = 'keyferry-base64';
export const TYPE_MARKER = 'keyferry-type';
export const IMMUTABLE_MARKER = 'keyferry-immutable';
export const LIFETIME_MARKER = 'keyferry-lifetime';
export const MARKER_NAMES = [BASE64_MARKER, TYPE_MARKER, IMMUTABLE_MARKER, LIFETIME_MARKER] as const;
/** Prefix of all markers, including those of other versions of Keyferry: never metadata. */
const MARKER_PREFIX = 'keyferry-';

export type Markers = Readonly<Partial<Record<(typeof MARKER_NAMES)[number], string>>>;

/** The server's limit for one value of custom_metadata, bytes. */
const MAX_MARKER_BYTES = 512;
/** Reserved in a first list, so that a later `,*@<version>` always fits. */
const RESERVED_BYTES = 32;
const SAFE_NAME = /^[-._a-zA-Z0-9]+$/;
const ENTRY = /^([-._a-zA-Z0-9]+|\*)(?:@([1-9][0-9]{0,14}))?$/;

interface Base64Entry {
  /** Name of a key, or `*`. */
  readonly name: string;
  /** First version for which it is valid. */
  readonly since: number;
}

/** Which keys are stored as base64, and from which version on. */
export class Base64Marks {
  readonly #entries: readonly Base64Entry[];

  constructor(entries: readonly Base64Entry[]) {
    this.#entries = entries;
  }

  static parse(text: string | undefined, target: string): Base64Marks {
    if (text === undefined) return new Base64Marks([]);
    const entries = text.split(',').map((part) => {
      const match = ENTRY.exec(part);
      if (match?.[1] === undefined) {
        throw new OperatorError('ENCODING_CORRUPT', {
          op: 'openbao.decode',
          target,
          detail: `The custom metadata ${BASE64_MARKER} is not valid.`,
        });
      }
      return { name: match[1], since: match[2] === undefined ? 0 : Number(match[2]) };
    });
    return new Base64Marks(entries);
  }

  applies(field: string, version: number): boolean {
    return this.#entries.some(
      (entry) => (entry.name === '*' || entry.name === field) && version >= entry.since,
    );
  }

  /** These marks plus `fields` from `version` on; `*` if they do not fit or have unsafe names. Versions start at 1. */
  with(fields: readonly string[], version: number): Base64Marks {
    const missing = fields.filter((field) => !this.applies(field, version));
    if (missing.length === 0) return this;
    const since = version <= 1 ? 0 : version;
    const listed = new Base64Marks([...this.#entries, ...missing.map((name) => ({ name, since }))]);
    const fits =
      missing.every((name) => SAFE_NAME.test(name)) &&
      listed.format().length <= MAX_MARKER_BYTES - RESERVED_BYTES;
    return fits ? listed : new Base64Marks([...this.#entries, { name: '*', since }]);
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  format(): string {
    return this.#entries.map(({ name, since }) => (since === 0 ? name : `${name}@${since}`)).join(',');
  }
}

/** The markers that a document with these attributes and marks must have, and no others. */
export function markersOf(attributes: Attributes, base64: Base64Marks): Markers {
  return {
    ...(base64.isEmpty ? {} : { [BASE64_MARKER]: base64.format() }),
    ...(attributes.type === undefined ? {} : { [TYPE_MARKER]: attributes.type }),
    ...(attributes.immutable === undefined ? {} : { [IMMUTABLE_MARKER]: 'true' }),
    ...(attributes.expiresAt === undefined ? {} : { [LIFETIME_MARKER]: String(attributes.lifetime ?? 0) }),
  };
}

/** The attributes from the custom_metadata of a document. Throws `ENCODING_CORRUPT` for a marker that is not valid. */
export function attributesOf(customMetadata: ReadonlyMap<string, string>, target: string): Attributes {
  const type = customMetadata.get(TYPE_MARKER);
  const immutable = customMetadata.get(IMMUTABLE_MARKER);
  if (immutable !== undefined && immutable !== 'true') {
    throw new OperatorError('ENCODING_CORRUPT', {
      op: 'openbao.decode',
      target,
      detail: `The custom metadata ${IMMUTABLE_MARKER} must be "true" or absent.`,
    });
  }
  const metadata = [...customMetadata].filter(([key]) => !key.startsWith(MARKER_PREFIX));
  return {
    ...(type === undefined ? {} : { type }),
    ...(immutable === undefined ? {} : { immutable: true as const }),
    ...(metadata.length === 0 ? {} : { metadata: new Map(metadata) }),
  };
}

/** The lifetime, in seconds, that the path must have after a write; undefined if no write is pending. */
export function pendingLifetime(
  customMetadata: ReadonlyMap<string, string>,
  target: string,
): number | undefined {
  const text = customMetadata.get(LIFETIME_MARKER);
  if (text === undefined) return undefined;
  if (/^(0|[1-9][0-9]{0,9})$/.test(text)) return Number(text);
  throw new OperatorError('ENCODING_CORRUPT', {
    op: 'openbao.decode',
    target,
    detail: `The custom metadata ${LIFETIME_MARKER} must be whole seconds or absent.`,
  });
}

/** All entries of custom_metadata that a document needs. */
export function customMetadataOf(attributes: Attributes, markers: Markers): Readonly<Record<string, string>> {
  return Object.fromEntries([...(attributes.metadata ?? []), ...Object.entries(markers)]);
}

const MAX_ENTRIES = 64;
const MAX_KEY_BYTES = 128;
/**
 * As in Go: no control characters, no separators except the space. The server can refuse characters of a newer Unicode.
 */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;

/** Why this metadata cannot be entries of custom_metadata, or undefined. */
export function metadataRefusalOf(attributes: Attributes, markers: Markers): Refusal | undefined {
  const { metadata } = attributes;
  if (metadata === undefined) return undefined;
  if (metadata.size + Object.keys(markers).length > MAX_ENTRIES) {
    return refused(
      `A document can have at most ${MAX_ENTRIES} entries of custom metadata, markers included.`,
    );
  }
  for (const [key, value] of metadata) {
    if (key.startsWith(MARKER_PREFIX))
      return refused(`Names that start with ${MARKER_PREFIX} are reserved for markers.`);
    if (!isEntry(key, MAX_KEY_BYTES) || !isEntry(value, MAX_MARKER_BYTES)) {
      return refused(
        `An entry of custom metadata must be printable: a name of 1 to ${MAX_KEY_BYTES} bytes and a value of 1 to ${MAX_MARKER_BYTES}.`,
      );
    }
  }
  return undefined;
}

function isEntry(text: string, maxBytes: number): boolean {
  return PRINTABLE.test(text) && text.isWellFormed() && Buffer.byteLength(text) <= maxBytes;
}

function refused(message: string): Refusal {
  return { reason: 'MetadataRefused', message };
}

/**
 * The entries to change (null removes) so that all of `wanted` exists and no other marker; undefined if nothing must
 * change. Metadata of other clients stays.
 */
export function metadataPatch(
  present: ReadonlyMap<string, string>,
  wanted: Readonly<Record<string, string>>,
): Readonly<Record<string, string | null>> | undefined {
  const target = new Map<string, string | null>(MARKER_NAMES.map((name) => [name, null]));
  for (const [key, value] of Object.entries(wanted)) target.set(key, value);
  const changes = [...target].filter(([key, value]) => (present.get(key) ?? null) !== value);
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}
