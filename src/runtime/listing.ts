import type { KubeClient, KubeObject, ObjectMeta } from '#src/kube/client.ts';
import { OperatorError } from '#src/errors.ts';
import type { FittingPage } from '#src/kube/fitting-page.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import { apiVersionOf, collectionPath, type Resource } from '#src/kube/resource.ts';

/** Selects objects of one resource. */
export interface Selection {
  readonly resource: Resource;
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Fetches only metadata (for Secrets: never their values). */
  readonly metadataOnly?: boolean;
  /** Annotations that the cache keeps; it drops all others. */
  readonly annotations?: readonly string[];
  /** The cache keeps the labels of an object, `{}` for one without, unless they are larger than it allows. Default: it drops them. */
  readonly labels?: true;
}

/** Some items of a list, as the server has them. */
interface RawPage {
  readonly items: readonly unknown[];
  /** Of the list, the same in all pages. */
  readonly resourceVersion: string;
}

/** Some objects of a list. */
export interface ListedPage {
  readonly objects: readonly KubeObject[];
  /** Of the list, the same in all pages. */
  readonly resourceVersion: string;
}

export interface ListOptions {
  readonly client: KubeClient;
  readonly selection: Selection;
  readonly fitting: FittingPage;
  readonly signal: AbortSignal;
}

/** Characters of the labels of one object that a cache keeps. A tenant can store a megabyte of them in each. */
export const MAX_LABEL_CHARACTERS = 4096;

/** No plain-JSON alternative in the header: a server that cannot reduce to metadata fails instead of sending values. */
export const ACCEPT_METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const ACCEPT_METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

export function watchAccept(selection: Selection): string {
  return selection.metadataOnly === true ? ACCEPT_METADATA : 'application/json';
}

export function selectionPath(selection: Selection): string {
  return collectionPath(selection.resource, selection.namespace);
}

export function selectionQuery(selection: Selection): Record<string, string | undefined> {
  return { labelSelector: selection.labelSelector, fieldSelector: selection.fieldSelector };
}

/** As `rawPages`, with the objects as a cache keeps them. */
export async function* listPages(options: ListOptions): AsyncGenerator<ListedPage> {
  for await (const { items, resourceVersion } of rawPages(options))
    yield { objects: items.map((item) => toCached(item, options.selection)), resourceVersion };
}

/** As `rawPages`, with the whole objects: for a person, who sees all of them. */
export async function* wholePages(options: ListOptions): AsyncGenerator<ListedPage> {
  for await (const { items, resourceVersion } of rawPages(options))
    yield { objects: items.map((item) => toWhole(item, options.selection)), resourceVersion };
}

/**
 * The whole list, in pages that fit into a reply, at one resourceVersion. Without a resourceVersion in the query, i.e.
 * consistent: `resourceVersion=0` would be cheaper, but may return a state older than one seen before (kubernetes#59848), and
 * ignores the limit, so that all objects come in one body that blocks the event loop. Keep of a page only what is needed: it
 * can be large.
 * Throws as `KubeClient.request`; `WATCH_EXPIRED` when the continue token expired between pages.
 */
async function* rawPages(options: ListOptions): AsyncGenerator<RawPage> {
  const { client, selection, fitting, signal } = options;
  let token: string | undefined;
  for (;;) {
    const page = await fitting.request(async (limit) =>
      client.request({
        method: 'GET',
        path: selectionPath(selection),
        query: { ...selectionQuery(selection), limit: String(limit), continue: token },
        accept: selection.metadataOnly === true ? ACCEPT_METADATA_LIST : 'application/json',
        op: 'kube.list',
        target: selection.resource.kind,
        signal,
      }),
    );
    const { items, metadata } = parsePage(page, selection);
    const { continue: next, resourceVersion } = metadata;
    if (typeof resourceVersion !== 'string') throw refuse(selection, 'The list has no resourceVersion.');
    yield { items, resourceVersion };
    if (typeof next !== 'string' || next === '') return;
    token = next;
  }
}

function parsePage(
  page: unknown,
  selection: Selection,
): { readonly items: readonly unknown[]; readonly metadata: JsonObject } {
  const kind =
    selection.metadataOnly === true ? 'PartialObjectMetadataList' : `${selection.resource.kind}List`;
  if (!isJsonObject(page) || page['kind'] !== kind) throw refuse(selection, `The list is not a ${kind}.`);
  const { items, metadata } = page;
  // Go writes an empty list of items as null.
  if (items === null || items === undefined) return { items: [], metadata: toObject(metadata) };
  if (!Array.isArray(items)) throw refuse(selection, 'The list has no items.');
  return { items, metadata: toObject(metadata) };
}

/** The object of a watch event for the cache. Refuses a full object if only metadata was requested. */
export function watchedObject(object: unknown, selection: Selection): KubeObject {
  const kind = selection.metadataOnly === true ? 'PartialObjectMetadata' : selection.resource.kind;
  if (!isJsonObject(object) || object['kind'] !== kind) {
    throw refuse(selection, `The watched object is not a ${kind}.`);
  }
  return toCached(object, selection);
}

/**
 * Items of a list have neither kind nor apiVersion, watched objects do; all cached objects have both. The metadata is an
 * allow-list: managedFields are half of an object's size, `kubectl apply` stores a copy of the whole object in an annotation,
 * including the values of a Secret, and a tenant can store 256 KiB of annotations in each object.
 */
function toCached(object: unknown, selection: Selection): KubeObject {
  const found = identified(object, selection);
  const identity = identityOf(selection.resource);
  const metadata = keptOf(found.metadata, selection);
  return selection.metadataOnly === true ? { ...identity, metadata } : { ...found, ...identity, metadata };
}

function toWhole(object: unknown, selection: Selection): KubeObject {
  return { ...identityOf(selection.resource), ...identified(object, selection) };
}

function identityOf(resource: Resource): Pick<KubeObject, 'apiVersion' | 'kind'> {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind };
}

function identified(object: unknown, selection: Selection): KubeObject {
  if (!isKubeObject(object)) throw refuse(selection, 'An object lacks name, uid or resourceVersion.');
  return object;
}

function keptOf(metadata: ObjectMeta, { annotations: names = [], labels }: Selection): ObjectMeta {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } =
    metadata;
  const found = names.flatMap((each): readonly (readonly [string, string])[] => {
    const value = metadata.annotations?.[each];
    return value === undefined ? [] : [[each, value]];
  });
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    generation,
    creationTimestamp,
    deletionTimestamp,
    ...(found.length === 0 ? {} : { annotations: Object.fromEntries<string>(found) }),
    ...(labels === undefined ? {} : keptLabels(metadata.labels ?? NO_LABELS)),
  };
}

const NO_LABELS: NonNullable<ObjectMeta['labels']> = Object.freeze({});

function keptLabels(labels: NonNullable<ObjectMeta['labels']>): Pick<ObjectMeta, 'labels'> {
  let characters = 0;
  for (const [key, value] of Object.entries(labels)) characters += key.length + value.length;
  return characters > MAX_LABEL_CHARACTERS ? {} : { labels };
}

/** True when the object has the three fields that identify it. */
export function isKubeObject(value: unknown): value is KubeObject {
  if (!isJsonObject(value) || !isJsonObject(value['metadata'])) return false;
  const { name, uid, resourceVersion } = value['metadata'];
  return [name, uid, resourceVersion].every((field) => typeof field === 'string' && field !== '');
}

/** resourceVersion of a BOOKMARK, whose object has almost no other fields. */
export function bookmarkVersion(object: unknown, selection: Selection): string {
  const metadata = isJsonObject(object) ? toObject(object['metadata']) : {};
  const version = metadata['resourceVersion'];
  if (typeof version !== 'string' || version === '')
    throw refuse(selection, 'A bookmark has no resourceVersion.');
  return version;
}

function toObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

function refuse(selection: Selection, detail: string): OperatorError {
  return new OperatorError('REPLY_INVALID', { op: 'kube.list', target: selection.resource.kind, detail });
}
