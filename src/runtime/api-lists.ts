import { OperatorError } from '#src/errors.ts';
import { Fresh } from '#src/io/fresh.ts';
import { apiPath } from '#src/kube/api-path.ts';
import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { FittingPage } from '#src/kube/fitting-page.ts';
import { isJsonObject } from '#src/kube/json.ts';
import type { Resource } from '#src/kube/resource.ts';
import type { Clock } from '#src/ports.ts';
import { listPages, type Selection } from './listing.ts';

/** Objects of a page while all fit into a reply. */
const PAGE_SIZE = 250;

/** What the server serves is asked again after this time. */
const DISCOVERY_MS = 5_000;

export type ApiResource = Resource;

/** Which objects of a resource; without a namespace, of the whole cluster. */
export type Wanted = Pick<Selection, 'namespace' | 'labelSelector' | 'metadataOnly' | 'annotations'>;

/** Where a resource is served. `unserved`: the server does not serve its group; `unknown`: not in this version, or not this plural. */
export type Served = Resource | 'unserved' | 'unknown';

/**
 * Lists of any resource of the API server, and which it serves (its discovery, `/apis`): a 404 of a list could be that of a
 * proxy. Throws as `KubeClient.request`.
 */
export class ApiLists {
  readonly #client: KubeClient;
  readonly #discovered: Fresh<unknown>;

  constructor(client: KubeClient, clock: Pick<Clock, 'monotonic'>) {
    this.#client = client;
    this.#discovered = new Fresh(clock);
  }

  /** All objects, at one state of the server, page by page. Of their metadata only what identifies them, and these annotations. */
  async *list(
    resource: Resource,
    wanted: Wanted,
    signal: AbortSignal,
  ): AsyncGenerator<KubeObject, void, undefined> {
    const selection = { resource, ...wanted };
    const fitting = new FittingPage(PAGE_SIZE);
    for await (const { objects } of listPages({ client: this.#client, selection, fitting, signal }))
      yield* objects;
  }

  /** Without a version, in the one that the server prefers. */
  async find(
    {
      group,
      version,
      plural,
    }: { readonly group: string; readonly version?: string; readonly plural: string },
    signal: AbortSignal,
  ): Promise<Served> {
    const preferred = group === '' ? 'v1' : await this.#preferredVersion(group, signal);
    if (preferred === undefined) return 'unserved';
    const wanted = version ?? preferred;
    if (!(await this.#serves(group, wanted, signal))) return 'unknown';
    const root = group === '' ? ['api'] : ['apis', group];
    const found = membersOf(await this.#get(apiPath([...root, wanted]), signal), 'resources').find(
      ({ name }) => name === plural,
    );
    const { kind, namespaced } = found ?? {};
    if (typeof kind !== 'string' || typeof namespaced !== 'boolean') return 'unknown';
    return { group, version: wanted, plural, kind, namespaced };
  }

  async #preferredVersion(group: string, signal: AbortSignal): Promise<string | undefined> {
    const { preferredVersion } = (await this.#group(group, signal)) ?? {};
    const version = isJsonObject(preferredVersion) ? preferredVersion['version'] : undefined;
    return typeof version === 'string' ? version : undefined;
  }

  async #serves(group: string, version: string, signal: AbortSignal): Promise<boolean> {
    if (group === '') return version === 'v1';
    return membersOf(await this.#group(group, signal), 'versions').some(
      (each) => each['version'] === version,
    );
  }

  async #group(group: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>> | undefined> {
    const groups = membersOf(await this.#get('/apis', signal), 'groups');
    return groups.find(({ name }) => name === group);
  }

  async #get(path: string, signal: AbortSignal): Promise<unknown> {
    const op = 'kube.discover';
    return await this.#discovered.get(path, { maxAgeMs: DISCOVERY_MS, since: 0, signal }, async (asking) => {
      const reply = await this.#client.request({ method: 'GET', path, op, target: path, signal: asking });
      if (!isJsonObject(reply)) throw new OperatorError('REPLY_INVALID', { op, target: path });
      return reply;
    });
  }
}

function membersOf(
  object: unknown,
  member: 'groups' | 'versions' | 'resources',
): readonly Readonly<Record<string, unknown>>[] {
  const found = isJsonObject(object) ? object[member] : undefined;
  return Array.isArray(found) ? found.filter(isJsonObject) : [];
}
