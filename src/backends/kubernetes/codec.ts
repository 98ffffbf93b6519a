import { z } from 'zod';
import type { Attributes, Document, StoredDocument } from '#src/core/document.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import { annotationsIn } from './annotations.ts';
import { MANAGED_BY_LABEL, metadataOf } from './labels.ts';
import { managerOf, replicatorOf, suppliesCa } from './managers.ts';
import { REFLECTS_ANNOTATION } from './marks.ts';
import { decodeReflected } from './reflects.ts';

/*
 * Secrets ↔ documents. The schemas check only the structure of a reply. `data` stays as parsed, because a schema that
 * copies a map loses names such as `__proto__`, and its issues would quote values.
 */

/** Label of every Secret that Keyferry creates. */
export const MANAGED_BY = { [MANAGED_BY_LABEL]: 'keyferry' } as const;

export const DEFAULT_TYPE = 'Opaque';

/** Complete, so that a Secret which is created again has the same owners. */
const OwnerReference = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().exactOptional(),
  blockOwnerDeletion: z.boolean().exactOptional(),
});

/** Members of the metadata of a Secret. */
export const Metadata = z.object({
  name: z.string().min(1),
  uid: z.string().min(1),
  resourceVersion: z.string().min(1),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z.array(OwnerReference).optional(),
});

/** Absent in a Secret without keys. */
const Data = z.custom<Readonly<Record<string, string>>>((data) => isStringMap(data)).nullish();

function isStringMap(data: unknown): boolean {
  return (
    typeof data === 'object' &&
    data !== null &&
    !Array.isArray(data) &&
    Object.values(data).every((member) => typeof member === 'string')
  );
}

const Secret = z.object({
  metadata: Metadata,
  type: z.string().optional(),
  immutable: z.boolean().optional(),
  data: Data,
});

export const ListMeta = z.object({ continue: z.string().optional() });
/** The API server writes an empty list as null (a nil slice of Go). Each item is parsed by itself. */
const List = z.object({ metadata: ListMeta, items: z.array(z.unknown()).nullable() });
const Named = z.object({ metadata: z.object({ name: z.string().min(1) }) });
const WithMetadata = z.object({ metadata: Metadata });

export type WireSecret = z.infer<typeof Secret>;

/** One page of a list; `next` continues it. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Objects that are not what this API returns, by name: the others are good. */
  readonly invalid: ReadonlyMap<string, OperatorError>;
  readonly next: string | undefined;
}

export function parseSecret(reply: unknown, op: string, target: string): WireSecret {
  return parse(Secret, reply, { op, target });
}

export function parseSecretPage(reply: unknown, op: string, target: string): Page<WireSecret> {
  return parsePage(Secret, reply, { op, target });
}

export function parseMetadataPage(reply: unknown, op: string, target: string): Page<WireSecret['metadata']> {
  const { items, ...page } = parsePage(WithMetadata, reply, { op, target });
  return { ...page, items: items.map((item) => item.metadata) };
}

/** Throws `REPLY_INVALID` if the reply is not a list, or an object in it has no name. */
export function parsePage<T>(
  schema: z.ZodType<T>,
  reply: unknown,
  context: { readonly op: string; readonly target: string },
): Page<T> {
  const { metadata, items } = parse(List, reply, context);
  const parsed: T[] = [];
  const invalid = new Map<string, OperatorError>();
  for (const item of items ?? []) {
    const result = schema.safeParse(item);
    if (result.success) parsed.push(result.data);
    else invalid.set(parse(Named, item, context).metadata.name, new OperatorError('REPLY_INVALID', context));
  }
  return { items: parsed, invalid, next: nextOf(metadata) };
}

export function parseObjectMetadata(
  reply: unknown,
  op: string,
  target: string,
): Pick<WireSecret, 'metadata'> {
  return parse(z.object({ metadata: Metadata }), reply, { op, target });
}

function nextOf(list: z.infer<typeof ListMeta>): string | undefined {
  return list.continue === '' ? undefined : list.continue;
}

/** Drops the issues of a failed check: they can quote values. */
function parse<T>(
  schema: z.ZodType<T>,
  reply: unknown,
  context: { readonly op: string; readonly target: string },
): T {
  const parsed = schema.safeParse(reply);
  if (!parsed.success) throw new OperatorError('REPLY_INVALID', context);
  return parsed.data;
}

/** The API server writes canonical base64, so no check after decoding is needed. */
export function toDocument(secret: WireSecret): StoredDocument {
  const fields = new Map<string, SecretValue>();
  for (const [name, base64] of Object.entries(secret.data ?? {})) {
    fields.set(name, SecretValue.fromBytes(Buffer.from(base64, 'base64')));
  }
  return {
    address: secret.metadata.name,
    fields,
    attributes: attributesOf(secret),
    version: versionOf(secret),
    ...markOf(secret.metadata),
    ...programsOf(secret.metadata),
    ...endOf(secret.metadata),
  };
}

/** Any other text than that of Keyferry is not a mark. */
function markOf({ annotations }: WireSecret['metadata']): Pick<StoredDocument, 'isMarked' | 'reflects'> {
  const reflects = decodeReflected(annotations?.[REFLECTS_ANNOTATION]);
  return reflects === undefined ? {} : { reflects, isMarked: true };
}

/** The programs that it has to do with, as it says itself. */
function programsOf(
  metadata: WireSecret['metadata'],
): Pick<StoredDocument, 'manager' | 'replicator' | 'suppliesCa'> {
  const manager = managerOf(metadata);
  const replicator = replicatorOf(metadata);
  return {
    ...(manager === undefined ? {} : { manager }),
    ...(replicator === undefined ? {} : { replicator }),
    ...(suppliesCa(metadata) ? { suppliesCa: true as const } : {}),
  };
}

/** Whether its end is decided. The garbage collector removes a Secret with the last of its owners, controller or not. */
function endOf({
  deletionTimestamp,
  ownerReferences: [owner] = [],
}: WireSecret['metadata']): Pick<StoredDocument, 'isLeaving' | 'owner'> {
  return {
    ...(deletionTimestamp === undefined ? {} : { isLeaving: true }),
    ...(owner === undefined ? {} : { owner: `${owner.kind} ${owner.name}` }),
  };
}

export function versionOf(secret: Pick<WireSecret, 'metadata'>): StoredDocument['version'] {
  return { identity: secret.metadata.uid, revision: secret.metadata.resourceVersion };
}

function attributesOf(secret: WireSecret): Attributes {
  const type = secret.type === undefined || secret.type === DEFAULT_TYPE ? undefined : secret.type;
  const metadata = metadataOf(secret.metadata.labels);
  const annotations = annotationsIn(secret.metadata.annotations);
  return {
    ...(type === undefined ? {} : { type }),
    ...(secret.immutable === true ? { immutable: true as const } : {}),
    ...(metadata === undefined ? {} : { metadata }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** `data` of a Secret. */
export function encodeData(document: Document): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...document.fields].map(([name, value]) => [name, value.reveal().toString('base64')]),
  );
}

/** Approximate bytes of a Secret in a list, to choose the size of the next page. */
export function wireSize(secret: WireSecret): number {
  return Object.values(secret.data ?? {}).reduce((sum, base64) => sum + base64.length, 1024);
}
