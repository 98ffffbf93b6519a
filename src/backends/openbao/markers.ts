import type { Attributes } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';

/*
 * The custom_metadata keys in which a document keeps what JSON text cannot hold. custom_metadata belongs to the key, not
 * to one version of it, so an entry that is added by an overwrite names the version from which on it holds: older
 * versions stay readable, and the marker can be written before the data.
 *
 *   keyferry-base64     comma list of `name` or `name@version`; `*` is every field; absent: all fields are text
 *   keyferry-type       type of the Kubernetes Secret when it is not Opaque
 *   keyferry-immutable  "true" when the Secret is immutable
 */
export const BASE64_MARKER = 'keyferry-base64';
export const TYPE_MARKER = 'keyferry-type';
export const IMMUTABLE_MARKER = 'keyferry-immutable';
export const MARKER_NAMES = [BASE64_MARKER, TYPE_MARKER, IMMUTABLE_MARKER] as const;

export type Markers = Readonly<Partial<Record<(typeof MARKER_NAMES)[number], string>>>;

/** The server's limit for one value of custom_metadata, bytes. */
const MAX_MARKER_BYTES = 512;
/** Left free in a first list, so that a later `,*@<version>` always fits. */
const RESERVED_BYTES = 32;
const SAFE_NAME = /^[-._a-zA-Z0-9]+$/;
const ENTRY = /^([-._a-zA-Z0-9]+|\*)(?:@([1-9][0-9]{0,14}))?$/;

interface Base64Entry {
  /** Field name, or `*`. */
  readonly name: string;
  /** First version for which it holds. */
  readonly since: number;
}

/** Which fields of which version are stored as base64. */
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
          detail: `The custom metadata ${BASE64_MARKER} cannot be understood.`,
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

  /** These marks and, from `version` on, also `fields`; `*` when they do not fit or have unsafe names. Version 1 is the first. */
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

/** The markers that a document with these attributes and marks must have; no others may be left over. */
export function markersOf(attributes: Attributes, base64: Base64Marks): Markers {
  return {
    ...(base64.isEmpty ? {} : { [BASE64_MARKER]: base64.format() }),
    ...(attributes.type === undefined ? {} : { [TYPE_MARKER]: attributes.type }),
    ...(attributes.immutable === undefined ? {} : { [IMMUTABLE_MARKER]: 'true' }),
  };
}

/** What the markers say about the document as a whole. */
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
  return {
    ...(type === undefined ? {} : { type }),
    ...(immutable === undefined ? {} : { immutable: true as const }),
  };
}

/** The merge patch that turns what is there into `wanted` (null removes), or undefined when nothing has to change. */
export function markerPatch(
  present: ReadonlyMap<string, string>,
  wanted: Markers,
): Readonly<Record<string, string | null>> | undefined {
  const changes = MARKER_NAMES.filter((name) => present.get(name) !== wanted[name]);
  if (changes.length === 0) return undefined;
  return Object.fromEntries(changes.map((name) => [name, wanted[name] ?? null]));
}
