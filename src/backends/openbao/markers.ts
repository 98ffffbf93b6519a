import type { Attributes, Document } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import { secretMetadataIn } from './secret-metadata.ts';
import { VersionMarks } from './version-marks.ts';

/*
 * The custom_metadata entries for what JSON text cannot represent. custom_metadata belongs to the path, not to one
 * version of it, so an entry names the exact versions for which it is valid (version-marks.ts): older versions stay
 * readable, a version of another client has no marks, and the marker can be written before the data.
 *
 *   keyferry-base64     the keys that are stored as base64; `*` is every key
 *   keyferry-type       type of the Kubernetes Secret when it is not Opaque
 *   keyferry-immutable  "true" when the Secret is immutable
 *   keyferry-written    "true" when Keyferry wrote the version and may remove it (`Document.prunable`)
 *   keyferry-pending    only while such a document is being written (pending.ts). To a reader it means that the write was
 *                       cut off
 *   keyferry-lifetime   only while a document that expires is being written: the delete_version_after, in seconds, that its
 *                       path must have afterwards (0: none)
 *   keyferry-secret-1…  labels and annotations of the Secret, see secret-metadata.ts
 *
 * All other entries are metadata: they are copied with the document and have no meaning here.
 */
export const BASE64_MARKER = 'keyferry-base64';
export const TYPE_MARKER = 'keyferry-type';
export const IMMUTABLE_MARKER = 'keyferry-immutable';
export const WRITTEN_MARKER = 'keyferry-written';
export const PENDING_MARKER = 'keyferry-pending';
export const LIFETIME_MARKER = 'keyferry-lifetime';
/** Prefix of all markers, including those of other versions of Keyferry: never metadata. */
export const MARKER_PREFIX = 'keyferry-';

/** The server's limit for one value of custom_metadata, bytes. */
export const MAX_MARKER_BYTES = 512;
/** Names of keys fill a marker up to here; the rest is for `*@<version>` of later versions. */
const MAX_NAMES_BYTES = 384;
const EVERY_KEY = '*';
const SAFE_NAME = /^[-._a-zA-Z0-9]+$/;
const BASE64_LABEL = /^(?:[-._a-zA-Z0-9]+|\*)$/;
const TYPE_LABEL = /^[\x21-\x7e]+$/;
const TRUE_LABEL = /^true$/;

/** The markers that name versions. */
export const VERSION_MARKERS: readonly string[] = [
  BASE64_MARKER,
  TYPE_MARKER,
  IMMUTABLE_MARKER,
  WRITTEN_MARKER,
];
const MARKER_NAMES = [...VERSION_MARKERS, PENDING_MARKER, LIFETIME_MARKER];

export function hasMarkers(customMetadata: ReadonlyMap<string, string>): boolean {
  return MARKER_NAMES.some((name) => customMetadata.has(name));
}

/** What the markers of one path say, version by version. */
export interface PathMarks {
  readonly base64: VersionMarks;
  readonly type: VersionMarks;
  readonly immutable: VersionMarks;
  readonly written: VersionMarks;
}

export const NO_MARKS: PathMarks = {
  base64: VersionMarks.none,
  type: VersionMarks.none,
  immutable: VersionMarks.none,
  written: VersionMarks.none,
};

/** What the markers say of one version. */
export interface Labels {
  /** Keys that are stored as base64, or `*`. */
  readonly base64: readonly string[];
  readonly type: string | undefined;
  readonly immutable: boolean;
  /** Keyferry wrote it, and may remove it. */
  readonly written: boolean;
}

export function hasLabels({ base64, type, immutable, written }: Labels): boolean {
  return base64.length > 0 || type !== undefined || immutable || written;
}

/** True if the labels say of this key, and not of every key, that it is stored as base64. */
export function namesBase64({ base64 }: Pick<Labels, 'base64'>, name: string): boolean {
  return name !== EVERY_KEY && base64.includes(name);
}

/** True if the key is stored as base64, unless it is JSON. */
export function inBase64({ base64 }: Pick<Labels, 'base64'>, name: string): boolean {
  return base64.includes(name) || base64.includes(EVERY_KEY);
}

/** Throws `ENCODING_CORRUPT` for a marker that is not valid. */
export function marksOf(customMetadata: ReadonlyMap<string, string>, target: string): PathMarks {
  const parsed = (marker: string, label: RegExp): VersionMarks => {
    const marks = VersionMarks.parse(customMetadata.get(marker), label);
    if (marks === undefined) throw corrupt(target, `The custom metadata ${marker} is not valid.`);
    return marks;
  };
  return {
    base64: parsed(BASE64_MARKER, BASE64_LABEL),
    type: parsed(TYPE_MARKER, TYPE_LABEL),
    immutable: parsed(IMMUTABLE_MARKER, TRUE_LABEL),
    written: parsed(WRITTEN_MARKER, TRUE_LABEL),
  };
}

/**
 * What the marks say of this version. Throws `ENCODING_CORRUPT` if a marker without versions leaves that open: it was
 * written for an earlier version, and this one can be of another client.
 */
export function labelsAt(marks: PathMarks, version: number, target: string): Labels {
  if (Object.values(marks).some((each: VersionMarks) => each.isUnclearAt(version))) {
    throw corrupt(
      target,
      `The keyferry-* custom metadata does not say whether it is valid for version ${version}.`,
    );
  }
  const [type] = marks.type.at(version);
  return {
    base64: marks.base64.at(version),
    type: type === undefined ? undefined : unescaped(type),
    immutable: marks.immutable.at(version).length > 0,
    written: marks.written.at(version).length > 0,
  };
}

/** The labels of a document: `binary` are its keys whose values are not text. */
export function labelsFor(
  { attributes, prunable }: Pick<Document, 'attributes' | 'prunable'>,
  binary: readonly string[],
): Labels {
  const { immutable, type } = attributes;
  return { base64: binary, type, immutable: immutable === true, written: prunable === true };
}

/**
 * The marks with these labels for `version`, and without those of versions before `oldest`. Every key counts as base64
 * if the names do not fit or are not safe.
 */
export function marksWith(
  marks: PathMarks,
  { base64, type, immutable, written }: Labels,
  { version, oldest }: { readonly version: number; readonly oldest: number },
): PathMarks {
  const names = marks.base64.since(oldest).with(base64, version);
  const fits = base64.every((name) => SAFE_NAME.test(name)) && names.format().length <= MAX_NAMES_BYTES;
  const isText = base64.length === 0;
  return {
    base64: isText || fits ? names : marks.base64.since(oldest).with([EVERY_KEY], version),
    type: marks.type.since(oldest).with(type === undefined ? [] : [escaped(type)], version),
    immutable: marks.immutable.since(oldest).with(immutable ? ['true'] : [], version),
    written: marks.written.since(oldest).with(written ? ['true'] : [], version),
  };
}

/** The marks without any for this version. */
export function marksWithout(marks: PathMarks, version: number): PathMarks {
  return {
    base64: marks.base64.without(version),
    type: marks.type.without(version),
    immutable: marks.immutable.without(version),
    written: marks.written.without(version),
  };
}

/** The entry of each marker; null if it must be absent. */
export function markersOf(marks: PathMarks): Readonly<Record<string, string | null>> {
  const text = (each: VersionMarks): string | null => (each.isEmpty ? null : each.format());
  return {
    [BASE64_MARKER]: text(marks.base64),
    [TYPE_MARKER]: text(marks.type),
    [IMMUTABLE_MARKER]: text(marks.immutable),
    [WRITTEN_MARKER]: text(marks.written),
  };
}

/** A comma and an at sign have a meaning in a marker. */
function escaped(type: string): string {
  return type.replaceAll(/[%,@]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function unescaped(label: string): string {
  return label.replaceAll(/%(25|2C|40)/g, (_all, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}

function corrupt(target: string, detail: string): OperatorError {
  return new OperatorError('ENCODING_CORRUPT', { op: 'openbao.decode', target, detail });
}

/** The attributes of a version, from its labels and the custom_metadata of its path. Throws `ENCODING_CORRUPT`. */
export function attributesOf(
  labels: Labels,
  customMetadata: ReadonlyMap<string, string>,
  target: string,
): Attributes {
  const { type, immutable } = labels;
  const metadata = [...customMetadata].filter(([key]) => !key.startsWith(MARKER_PREFIX));
  return {
    ...(type === undefined ? {} : { type }),
    ...(immutable ? { immutable: true as const } : {}),
    ...(metadata.length === 0 ? {} : { metadata: new Map(metadata) }),
    ...secretMetadataIn(customMetadata, target),
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
  throw corrupt(target, `The custom metadata ${LIFETIME_MARKER} must be whole seconds or absent.`);
}
