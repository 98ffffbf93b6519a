import type { V1DeleteOptions, V1ObjectMeta, V1Secret } from '@kubernetes/client-node';
import { sameVersion, type Document, type Version } from '#src/core/document.ts';
import { documentation } from '#src/errors/documentation.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import { hasRight } from '#src/kube/access-review.ts';
import type { KubeClient, KubeRequest } from '#src/kube/client.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import type { Permit } from '#src/ports.ts';
import { collectionPath, describeTarget, objectPath } from '#src/kube/resource.ts';
import type { Resource } from '#src/kube/resource.ts';
import type { Wire } from '#src/kube/wire.ts';
import type { Need } from '../driver.ts';
import {
  DEFAULT_TYPE,
  encodeData,
  MANAGED_BY,
  parseMetadataPage,
  parseObjectMetadata,
  parseSecret,
  parseSecretPage,
  versionOf,
} from './codec.ts';
import type { Page, WireSecret } from './codec.ts';
import { pairsOf } from './labels.ts';
import { parseTypedPage, type TypedMetadata } from './table.ts';

const SECRET: Resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };

const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
/** A Table has the type of each Secret besides its metadata. What serves no tables sends the metadata. */
const TYPED_METADATA = `application/json;as=Table;g=meta.k8s.io;v=v1,${METADATA_ONLY}`;
const METADATA_OF_ONE = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';

/** Names per page, which contains metadata only. */
const NAMES_PER_PAGE = 500;

/** RBAC verbs for the verbs of a Need. An update is sent as a patch. */
export const RBAC_VERBS = { read: 'get', create: 'create', update: 'patch', delete: 'delete' } as const;

/** What the server leaves out of a list. */
export interface Selectors {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface PageQuery extends Selectors {
  readonly limit: number;
  readonly next: string | undefined;
}

/** How a page is asked for, and what its reply is. */
interface Representation<T> {
  readonly accept: string;
  /** Secrets of a page. */
  readonly most: number;
  readonly parse: (reply: unknown, op: string, target: string) => Page<T>;
}

/** Labels and annotations of a Secret. */
export type Marks = Pick<Wire<V1ObjectMeta>, 'labels' | 'annotations'>;

/** What a Secret that is created has besides its document. */
export type NewMarks = Pick<Wire<V1ObjectMeta>, 'labels' | 'annotations' | 'ownerReferences'>;

/** The requests for Secrets of one namespace, one method each. Throws the errors of KubeClient. */
export class SecretApi {
  readonly #client: KubeClient;
  readonly #namespace: string;
  #mayList = false;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  /** Undefined if the Secret does not exist. */
  async get(name: string, signal: AbortSignal): Promise<WireSecret | undefined> {
    const request = this.#object(name, 'kube.secret.get');
    try {
      const reply = await this.#client.request({ ...request, method: 'GET', signal });
      return parseSecret(reply, request.op, request.target);
    } catch (thrown) {
      if (hasCode(thrown, 'NOT_FOUND')) return undefined;
      throw thrown;
    }
  }

  /** Exactly the state that was read. Throws `NOT_FOUND` if the Secret is gone, `VERSION_CONFLICT` if it changed. */
  async getExactly(
    name: string,
    expect: Version,
    { op, signal }: { readonly op: string; readonly signal: AbortSignal },
  ): Promise<WireSecret> {
    const secret = await this.get(name, signal);
    if (secret === undefined) throw new OperatorError('NOT_FOUND', { op, target: name });
    if (sameVersion(versionOf(secret), expect)) return secret;
    throw new OperatorError('VERSION_CONFLICT', { op, target: name });
  }

  /** Its metadata, undefined if the Secret does not exist: no value leaves the server. */
  async metadata(name: string, signal: AbortSignal): Promise<WireSecret['metadata'] | undefined> {
    const request = this.#object(name, 'kube.secret.getMetadata');
    try {
      const reply = await this.#client.request({
        ...request,
        method: 'GET',
        accept: METADATA_OF_ONE,
        signal,
      });
      return parseObjectMetadata(reply, request.op, request.target).metadata;
    } catch (thrown) {
      if (hasCode(thrown, 'NOT_FOUND')) return undefined;
      throw thrown;
    }
  }

  /** One page of Secrets with their values. */
  async page(query: PageQuery, signal: AbortSignal): Promise<Page<WireSecret>> {
    const request = this.#list('kube.secret.list', query);
    const reply = await this.#listed(request, signal);
    return parseSecretPage(reply, request.op, request.target);
  }

  /** All names and labels, page by page, in pages of at most `most`: no value leaves the server. */
  metadataPages(
    selectors: Selectors,
    signal: AbortSignal,
    most: number = NAMES_PER_PAGE,
  ): AsyncGenerator<Page<WireSecret['metadata']>> {
    const metadata = {
      accept: METADATA_ONLY,
      parse: parseMetadataPage,
      most: Math.min(most, NAMES_PER_PAGE),
    };
    return this.#pages(selectors, metadata, signal);
  }

  /** The same with the type of each Secret. */
  typedPages(selectors: Selectors, signal: AbortSignal): AsyncGenerator<Page<TypedMetadata>> {
    const typed = { accept: TYPED_METADATA, parse: parseTypedPage, most: NAMES_PER_PAGE };
    return this.#pages(selectors, typed, signal);
  }

  async *#pages<T>(
    selectors: Selectors,
    { accept, most, parse }: Representation<T>,
    signal: AbortSignal,
  ): AsyncGenerator<Page<T>> {
    const fitting = new FittingPage(most);
    let next: string | undefined;
    do {
      const page = await fitting.request(async (limit) => {
        const request = this.#list('kube.secret.listMetadata', { ...selectors, limit, next });
        return parse(await this.#listed({ ...request, accept }, signal), request.op, request.target);
      });
      yield page;
      next = page.next;
    } while (next !== undefined);
  }

  /** Creates a Secret; resolves with it as the server stored it. */
  async create(document: Document, permit: Permit, marks: NewMarks = {}): Promise<WireSecret> {
    const request = this.#creation(document, marks);
    const reply = await this.#client.request({ ...request, ...allowedBy(permit) });
    return parseSecret(reply, request.op, request.target);
  }

  /**
   * Asks whether a Secret could be created if its name were free: resolves if only the name is in the way, or nothing. Else
   * throws what a create would throw. Admission and quotas decide too; nothing is stored.
   */
  async requireCreatable(document: Document, marks: NewMarks, signal: AbortSignal): Promise<void> {
    try {
      const request = this.#creation(document, marks);
      await this.#client.request({ ...request, query: { dryRun: 'All' }, onlyAsks: true, signal });
    } catch (failure) {
      if (!hasCode(failure, 'ALREADY_EXISTS')) throw failure;
    }
  }

  #creation(document: Document, { ownerReferences, ...marks }: NewMarks): Omit<KubeRequest, 'signal'> {
    const { op, target } = this.#object(document.address, 'kube.secret.create');
    const body: Wire<V1Secret> = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: document.address,
        namespace: this.#namespace,
        labels: {
          ...pairsOf(document.attributes.metadata),
          ...(document.isOriginal === true ? {} : MANAGED_BY),
          ...marks.labels,
        },
        annotations: { ...pairsOf(document.attributes.annotations), ...marks.annotations },
        ...(ownerReferences === undefined ? {} : { ownerReferences }),
      },
      type: document.attributes.type ?? DEFAULT_TYPE,
      ...(document.attributes.immutable === true ? { immutable: true } : {}),
      data: encodeData(document),
    };
    return { method: 'POST', path: collectionPath(SECRET, this.#namespace), body, op, target };
  }

  /**
   * Replaces data and type only: a JSON patch leaves other metadata unchanged. A JSON patch cannot add to a map that may
   * not exist, so `labels` and `annotations`, if given, must be the complete maps. Because the patch sets resourceVersion,
   * the server refuses it with 409 if the Secret is in another state (a `test` operation would be a 422). No two states
   * of a name share a resourceVersion, even if the Secret was deleted and created again.
   */
  async replace(
    document: Document,
    { expect, labels, annotations }: Marks & { readonly expect: Version },
    permit: Permit,
  ): Promise<WireSecret> {
    const request = this.#object(document.address, 'kube.secret.replace');
    const body = [
      { op: 'replace', path: '/metadata/resourceVersion', value: expect.revision },
      { op: 'add', path: '/data', value: encodeData(document) },
      { op: 'add', path: '/type', value: document.attributes.type ?? DEFAULT_TYPE },
      ...(document.attributes.immutable === true ? [{ op: 'add', path: '/immutable', value: true }] : []),
      ...(labels === undefined ? [] : [{ op: 'add', path: '/metadata/labels', value: labels }]),
      ...(annotations === undefined
        ? []
        : [{ op: 'add', path: '/metadata/annotations', value: annotations }]),
    ];
    const reply = await this.#client.request({
      ...request,
      method: 'PATCH',
      contentType: JSON_PATCH,
      body,
      ...allowedBy(permit),
    });
    return parseSecret(reply, request.op, request.target);
  }

  /** Adds annotations to exactly this state, or removes them (null); the server refuses the request with 409 if the state differs. */
  async annotate(
    name: string,
    expect: Version,
    annotations: Readonly<Record<string, string | null>>,
    permit: Permit,
  ): Promise<void> {
    await this.#client.request({
      ...this.#object(name, 'kube.secret.annotate'),
      method: 'PATCH',
      contentType: MERGE_PATCH,
      body: { metadata: { resourceVersion: expect.revision, annotations } },
      ...allowedBy(permit),
    });
  }

  /**
   * Sets a label of exactly this state, or removes it (null); the server refuses the request with 409 if the state
   * differs. Resolves with the new version; no value leaves the server.
   */
  async label(
    { name, expect }: { readonly name: string; readonly expect: Version },
    labels: Readonly<Record<string, string | null>>,
    permit: Permit,
  ): Promise<Version> {
    const request = this.#object(name, 'kube.secret.label');
    const reply = await this.#client.request({
      ...request,
      method: 'PATCH',
      contentType: MERGE_PATCH,
      accept: METADATA_OF_ONE,
      body: { metadata: { resourceVersion: expect.revision, labels } },
      ...allowedBy(permit),
    });
    return versionOf(parseObjectMetadata(reply, request.op, request.target));
  }

  async remove(name: string, expect: Version, permit: Permit): Promise<void> {
    await this.#client.request({
      ...this.#object(name, 'kube.secret.delete'),
      method: 'DELETE',
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid: expect.identity, resourceVersion: expect.revision },
      } satisfies Wire<V1DeleteOptions>,
      ...allowedBy(permit),
    });
  }

  /** True if the client has the right to do this to one Secret or, without a name, to all Secrets of the namespace. */
  async mayDo(verb: Need['verbs'][number], name: string | undefined, signal: AbortSignal): Promise<boolean> {
    return this.#hasRight(RBAC_VERBS[verb], name, signal);
  }

  /** True if the client has the right to list. Asked once, and again after a refusal. */
  async mayList(signal: AbortSignal): Promise<boolean> {
    this.#mayList ||= await this.#hasRight('list', undefined, signal);
    return this.#mayList;
  }

  /** Throws `AUTH_DENIED` without the right to list, before a request that the server would refuse. */
  async requireList(signal: AbortSignal): Promise<void> {
    if (await this.mayList(signal)) return;
    throw new OperatorError('AUTH_DENIED', {
      op: 'kube.secret.list',
      target: describeTarget(SECRET, { namespace: this.#namespace }),
      detail: 'The operator may read Secrets by name only.',
      hint: `Use spec.select.names, or grant list on secrets in ${this.#namespace} (${documentation('security/rbac.md')}).`,
    });
  }

  async #hasRight(verb: string, name: string | undefined, signal: AbortSignal): Promise<boolean> {
    const right = { verb, resource: SECRET, namespace: this.#namespace, name };
    const target = describeTarget(SECRET, { namespace: this.#namespace });
    return hasRight(this.#client, right, { op: 'kube.secret.review', target, signal });
  }

  async #listed(request: Omit<KubeRequest, 'signal'>, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.#client.request({ ...request, signal });
    } catch (thrown) {
      if (hasCode(thrown, 'AUTH_DENIED')) this.#mayList = false;
      const { labelSelector } = request.query ?? {};
      throw labelSelector !== undefined && hasCode(thrown, 'REQUEST_REJECTED')
        ? selectorRefused(request)
        : thrown;
    }
  }

  #object(name: string, op: string): Pick<KubeRequest, 'path' | 'op' | 'target'> {
    const object = { namespace: this.#namespace, name };
    return { path: objectPath(SECRET, object), op, target: describeTarget(SECRET, object) };
  }

  #list(op: string, query: PageQuery): Omit<KubeRequest, 'signal'> {
    return {
      method: 'GET',
      path: collectionPath(SECRET, this.#namespace),
      query: {
        limit: String(query.limit),
        continue: query.next,
        labelSelector: query.labelSelector,
        fieldSelector: query.fieldSelector,
      },
      op,
      target: describeTarget(SECRET, { namespace: this.#namespace }),
    };
  }
}

function allowedBy(permit: Permit): Pick<KubeRequest, 'permit' | 'signal'> {
  return { permit, signal: permit.signal };
}

/** The API server parses the selector; of a list, it refuses nothing else that a user wrote. */
function selectorRefused({ op }: Pick<KubeRequest, 'op'>): OperatorError {
  return new OperatorError('SPEC_INVALID', {
    op,
    target: 'spec.select.labelSelector',
    detail: 'The API server cannot parse the label selector.',
    hint: 'Check the length of its keys and values: a label key has at most 253 characters before "/" and 63 after it.',
  });
}
