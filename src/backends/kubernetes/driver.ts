import { BACKUP_LABEL, REFLECTS_ANNOTATION } from './marks.ts';
import type {
  Address,
  Document,
  Expectation,
  ReadResult,
  StoredDocument,
  Version,
} from '#src/core/document.ts';
import type { LeftOutReason } from '#src/errors/reasons.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { KubeClient } from '#src/kube/client.ts';
import type { Permit } from '#src/ports.ts';
import type { Addresses } from '../addresses.ts';
import type {
  Driver,
  BackupStore,
  ClaimStore,
  CopyStore,
  DriverTraits,
  Need,
  Location,
  Probe,
  ProjectionStore,
  ReadOutcome,
} from '../driver.ts';
import type { Refusal } from '../refusal.ts';
import type { Listed, ListedVersion, ListingProblem, ListQuery } from '../listing.ts';
import type { ReadScope } from '../hints.ts';
import { isProblem, listedAs, problemAt } from '../listing-problem.ts';
import { NameTable } from '#src/core/name-table.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { RBAC_VERBS, SecretApi, type Marks } from './api.ts';
import { SecretBackups } from './backups.ts';
import { SecretClaims } from './claims.ts';
import { toDocument, versionOf } from './codec.ts';
import { SecretCopies } from './copies.ts';
import type { Page, WireSecret } from './codec.ts';
import { pairsOf } from './labels.ts';
import { namespaceIsLeaving, probeCluster } from './probe.ts';
import { SecretProjections } from './projections.ts';
import { recreateSecret } from './recreate.ts';
import { reflectsIn } from './reflects.ts';
import { readManySecrets } from './read-many.ts';
import { documentRefusalOf, isRefusedType, nameRefusalOf } from './refusals.ts';
import { WITHOUT_REFUSED_TYPES } from './selectors.ts';
import type { TypedMetadata } from './table.ts';

/** Concurrent requests. Measured: more of them add latency, not throughput. */
const CONCURRENCY = 16;

const WRITE = 'kube.secret.write';

/**
 * The Secrets of one namespace. A Version is uid and resourceVersion. The API server checks both on a delete; on an
 * overwrite it checks the resourceVersion, which is unique to one state of one incarnation.
 */
export class KubernetesDriver implements Driver {
  readonly kind = 'kubernetes';
  readonly serverTime = undefined;
  readonly traits: DriverTraits = {
    addressing: 'flat',
    concurrency: CONCURRENCY,
    statesAttributes: true,
    readsInPages: true,
  };
  readonly backups: BackupStore;
  readonly claims: ClaimStore;
  readonly copies: CopyStore;
  readonly projections: ProjectionStore;
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #api: SecretApi;
  #cluster: string | undefined;

  /** The client is shared: it outlives the driver. */
  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#api = new SecretApi(client, namespace);
    this.backups = new SecretBackups(this.#api);
    this.claims = new SecretClaims(this.#api);
    this.copies = new SecretCopies(this.#api);
    this.projections = new SecretProjections(this.#api);
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    const probe = await probeCluster(this.#client, signal);
    this.#cluster = probe.identity;
    return probe;
  }

  async isLeaving(signal: AbortSignal): Promise<boolean> {
    return namespaceIsLeaving(this.#client, this.#namespace, signal);
  }

  locationOf(address: Address): Location {
    if (this.#cluster === undefined) throw new OperatorError('INVARIANT', { op: 'kube.location' });
    return { store: `kubernetes ${this.#cluster} ${this.#namespace}`, path: address };
  }

  /**
   * Lists metadata only. The types that are never moved are left out by the server, unless somebody counts them: then the
   * listing has the type of each Secret. Throws `AUTH_DENIED` without a request if it may not list.
   */
  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<Listed> {
    yield* this.#listed(query, signal, ({ metadata, type }) => {
      const { name, labels = {} } = metadata;
      const listed = listedAs({ address: name, labels, ...(type && { type }) }, nameRefusalOf);
      if (!isProblem(listed)) query.onVersion?.(name, versionOf({ metadata }));
      return listed;
    });
  }

  /** The same pages: a name, its uid and its resourceVersion come together, and no value leaves the server. */
  async *versions(query: ListQuery, signal: AbortSignal): AsyncGenerator<ListedVersion> {
    const { leftOut: _nobody, ...uncounted } = query;
    yield* this.#listed(uncounted, signal, ({ metadata }) => {
      const listed = listedAs({ address: metadata.name }, nameRefusalOf);
      if (isProblem(listed)) return listed;
      return { address: listed.address, state: 'present', version: versionOf({ metadata }) };
    });
  }

  async *#listed<T>(
    query: ListQuery,
    signal: AbortSignal,
    itemOf: (secret: TypedMetadata) => T,
  ): AsyncGenerator<T | ListingProblem> {
    if (query.folder !== '') return;
    await this.#api.requireList(signal);
    const { leftOut, meter } = query;
    for await (const page of this.#pages(query, signal)) {
      meter?.page();
      for (const secret of page.items) {
        const reason = whyLeftOut(secret);
        if (reason === undefined) yield itemOf(secret);
        else leftOut?.(reason);
      }
      for (const [name, error] of page.invalid) yield problemAt(name, error, signal);
    }
  }

  /** What is counted must be listed. One list of all types is cheaper than one for each: the server reads all Secrets for each list. */
  async *#pages(
    { labelSelector, leftOut }: ListQuery,
    signal: AbortSignal,
  ): AsyncGenerator<Page<TypedMetadata>> {
    if (leftOut !== undefined) {
      yield* this.#api.typedPages({ labelSelector }, signal);
      return;
    }
    const movable = { labelSelector, fieldSelector: WITHOUT_REFUSED_TYPES };
    for await (const { items, ...page } of this.#api.metadataPages(movable, signal))
      yield { ...page, items: items.map((metadata) => ({ metadata, type: undefined })) };
  }

  /** Returns the current revision, which may be newer than the requested one: a Secret has no others. */
  async read(address: Address, signal: AbortSignal): Promise<ReadResult> {
    this.#requireName(address, 'kube.secret.get');
    const secret = await this.#api.get(address, signal);
    return secret === undefined ? { state: 'absent' } : { state: 'present', document: toDocument(secret) };
  }

  async *readMany(
    addresses: Addresses,
    signal: AbortSignal,
    scope: ReadScope = {},
  ): AsyncGenerator<ReadOutcome> {
    const wanted = new NameTable();
    const impossible = new Map<Address, ReadOutcome>();
    for (const address of addresses) {
      const error = this.#nameError(address, 'kube.secret.get');
      if (error === undefined) wanted.add(address);
      else impossible.set(address, { address, error });
    }
    yield* impossible.values();
    yield* readManySecrets(this.#api, wanted, { ...scope, signal });
  }

  refusalOf(document: Document): Refusal | undefined {
    return documentRefusalOf(document);
  }

  addressRefusalOf(address: Address): Refusal | undefined {
    return nameRefusalOf(address);
  }

  /** One review per verb; one per name only if the verb is not granted for the whole namespace (resourceNames). */
  async denied(needs: Iterable<Need>, signal: AbortSignal): Promise<ReadonlyMap<Address, Refusal>> {
    const refusals = new Map<Address, Refusal>();
    const verbs = new Set<Need['verbs'][number]>();
    for (const need of needs) for (const verb of need.verbs) verbs.add(verb);
    for (const verb of verbs) {
      if (await this.#api.mayDo(verb, undefined, signal)) continue;
      const answers = mapConcurrently(addressesWith(needs, verb), CONCURRENCY, async (address) => ({
        address,
        allowed: await this.#api.mayDo(verb, address, signal),
      }));
      for await (const { address, allowed } of answers) {
        if (!allowed && !refusals.has(address)) refusals.set(address, permissionDenied(verb));
      }
    }
    return refusals;
  }

  async write(document: Document, expect: Expectation, permit: Permit): Promise<Version> {
    return versionOf(await this.#write(document, expect, permit));
  }

  /** The API server replies with the object that it stored, after admission and with its new resourceVersion (ADR 0073). */
  async writeAndRead(document: Document, expect: Expectation, permit: Permit): Promise<StoredDocument> {
    return toDocument(await this.#write(document, expect, permit));
  }

  async #write(document: Document, expect: Expectation, permit: Permit): Promise<WireSecret> {
    this.#requireStorable(document);
    if (expect === 'absent') return this.#api.create(document, permit, { annotations: reflectsIn(document) });
    try {
      const marks = await this.#marksWith(document, expect, permit.signal);
      return await this.#api.replace(document, { expect, ...marks }, permit);
    } catch (thrown) {
      const target = document.address;
      if (hasCode(thrown, 'NOT_FOUND')) throw new OperatorError('VERSION_CONFLICT', { op: WRITE, target });
      if (hasCode(thrown, 'REQUEST_REJECTED') && (await this.#isImmutable(target, permit.signal)))
        throw new OperatorError('DOCUMENT_IMMUTABLE', { op: WRITE, target, cause: thrown });
      throw thrown;
    }
  }

  async recreate(document: Document, expect: Version, permit: Permit): Promise<Version> {
    this.#requireStorable(document);
    return recreateSecret(this.#api, { document, expect }, permit);
  }

  /** The API server says "Invalid" of a change of an immutable Secret, as of any other that it refuses. */
  async #isImmutable(name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#api.get(name, signal))?.immutable === true;
  }

  #requireStorable(document: Document): void {
    const refusal = this.refusalOf(document);
    if (refusal === undefined) return;
    throw new OperatorError('DOCUMENT_REFUSED', { op: WRITE, detail: refusal.message });
  }

  /**
   * The labels and annotations to write, each complete: what is there plus what the document has. A mark of an earlier write
   * would not be true of this one, so it goes. If anything of it changes before the write, the write fails.
   */
  async #marksWith(document: Document, expect: Version, signal: AbortSignal): Promise<Marks> {
    const { metadata, annotations } = document.attributes;
    const current = await this.#api.metadata(document.address, signal);
    const { [REFLECTS_ANNOTATION]: earlier, ...others } = current?.annotations ?? {};
    const mark = reflectsIn(document, expect);
    const isAnnotated = annotations !== undefined || earlier !== mark[REFLECTS_ANNOTATION];
    return {
      ...(metadata === undefined ? {} : { labels: { ...current?.labels, ...pairsOf(metadata) } }),
      ...(isAnnotated ? { annotations: { ...others, ...pairsOf(annotations), ...mark } } : {}),
    };
  }

  async delete(address: Address, expect: Version, permit: Permit): Promise<void> {
    this.#requireName(address, 'kube.secret.delete');
    await this.#api.remove(address, expect, permit);
  }

  #requireName(address: Address, op: string): void {
    const error = this.#nameError(address, op);
    if (error !== undefined) throw error;
  }

  #nameError(address: Address, op: string): OperatorError | undefined {
    const refusal = nameRefusalOf(address);
    return refusal && new OperatorError('DOCUMENT_REFUSED', { op, detail: refusal.message });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Owns no resource.
  }
}

/** Why a Secret is not an entry of a listing, or undefined. */
function whyLeftOut({ metadata, type }: TypedMetadata): LeftOutReason | undefined {
  if (isRefusedType(type)) return 'ExcludedType';
  return metadata.labels?.[BACKUP_LABEL] === 'true' ? 'Backup' : undefined;
}

/** Each once. */
function addressesWith(needs: Iterable<Need>, verb: Need['verbs'][number]): ReadonlySet<Address> {
  const found = new Set<Address>();
  for (const { address, verbs } of needs) if (verbs.includes(verb)) found.add(address);
  return found;
}

function permissionDenied(verb: Need['verbs'][number]): Refusal {
  return {
    reason: 'PermissionDenied',
    message: `The ServiceAccount of the operator lacks the RBAC verb ${RBAC_VERBS[verb]} for this Secret.`,
  };
}
