import { z } from 'zod';
import type { Cluster } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const KEYFERRY = '/apis/keyferry.io/v1alpha1';
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
/** Collections without a namespace that pages add to, in the order in which they go. */
const CLUSTER_WIDE = [
  '/api/v1/namespaces',
  `${ADMISSION}/validatingadmissionpolicybindings`,
  `${ADMISSION}/validatingadmissionpolicies`,
  `${KEYFERRY}/clustersecretbackends`,
  `${RBAC}/clusterrolebindings`,
  `${RBAC}/clusterroles`,
  // Of an installation: events about objects without a namespace are written in this one.
  `${RBAC}/namespaces/default/rolebindings`,
  `${RBAC}/namespaces/default/roles`,
  CRDS,
  // Credentials of ClusterSecretBackends.
  '/api/v1/namespaces/keyferry-system/secrets',
];
/** The list of the administrator, which pages change. */
const SETTINGS = '/api/v1/namespaces/keyferry-system/configmaps/keyferry-admission';
/** Collections of the namespace `default`, which stays: a page must not leave anything there. */
const IN_DEFAULT = [
  ...['secrets', 'configmaps', 'serviceaccounts', 'resourcequotas'].map(
    (plural) => `/api/v1/namespaces/default/${plural}`,
  ),
  ...['secretmigrations', 'secretbackends'].map((plural) => `${KEYFERRY}/namespaces/default/${plural}`),
];
/** Listings of the KV server. */
const ON_SERVER = [
  'sys/mounts',
  'sys/auth',
  'sys/audit',
  'sys/policies/acl?list=true',
  'sys/quotas/rate-limit?list=true',
];

/** What is on both servers at a moment, to remove later what was added. */
export class Baseline {
  readonly #cluster: Cluster;
  readonly #present: ReadonlySet<string>;
  /** Undefined where Keyferry is not installed. */
  readonly #settings: Settings | undefined;

  private constructor(cluster: Cluster, present: readonly string[], settings: Settings | undefined) {
    this.#cluster = cluster;
    this.#present = new Set(present);
    this.#settings = settings;
  }

  static async take(cluster: Cluster): Promise<Baseline> {
    const lists = [objectsIn(cluster, CLUSTER_WIDE), objectsIn(cluster, IN_DEFAULT), entriesOf(cluster)];
    const { status, body } = await cluster.kubeClient.reply('GET', SETTINGS);
    const settings = status === 200 ? Settings.parse(body) : undefined;
    return new Baseline(cluster, (await Promise.all(lists)).flat(), settings);
  }

  /** Removes everything that was added, and waits until it is gone. Returns what is in the namespace `default`. */
  async restore(): Promise<readonly string[]> {
    const left = this.#added(await objectsIn(this.#cluster, IN_DEFAULT));
    const added = this.#added(await objectsIn(this.#cluster, CLUSTER_WIDE));
    for (const path of added) await this.#delete(path);
    for (const path of left) await this.#delete(path);
    if (this.#settings !== undefined)
      await this.#cluster.kube('PATCH', SETTINGS, { data: this.#settings.data }, MERGE);
    for (const path of this.#added(await entriesOf(this.#cluster))) await this.#cluster.bao('DELETE', path);
    await eventually('what the page added is gone', async () => {
      const rest = this.#added(await objectsIn(this.#cluster, CLUSTER_WIDE));
      if (rest.length === 0) return true;
      await this.#wakeFinalizer(rest.filter((path) => path.startsWith(CRDS)));
      throw new Error(rest.join(', '));
    });
    // Without the policies, which stay of an installation, it keeps an old list (docs/security/admission.md#without-the-policies).
    if (added.some((path) => path.includes('policybindings/'))) await this.#cluster.restart('apiserver');
    return left;
  }

  /**
   * The API server (1.37) gives up to delete a CRD whose storage is being initialized ("could not list instances"), and tries
   * again only when the CRD changes.
   */
  async #wakeFinalizer(crds: readonly string[]): Promise<void> {
    const metadata = { annotations: { 'keyferry.test/woken-at': String(performance.now()) } };
    for (const path of crds) await this.#cluster.kubeClient.reply('PATCH', path, { metadata }, MERGE);
  }

  #added(found: readonly string[]): readonly string[] {
    return found.filter((path) => !this.#present.has(path));
  }

  /** A page that failed half-way can leave a Secret that a finalizer holds. */
  async #release(namespace: string): Promise<void> {
    const secrets = namespace.startsWith('/api/v1/namespaces/') ? [`${namespace}/secrets`] : [];
    for (const path of await objectsIn(this.#cluster, secrets)) {
      await this.#cluster.kubeClient.reply('PATCH', path, { metadata: { finalizers: null } }, MERGE);
    }
  }

  async #delete(path: string): Promise<void> {
    await this.#release(path);
    await this.#cluster.kubeClient.reply('DELETE', path);
  }
}

const MERGE = { 'content-type': 'application/merge-patch+json' };
const Settings = z.object({ data: z.record(z.string(), z.string()).optional() });
type Settings = z.output<typeof Settings>;
const List = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });
const Listing = z.object({ data: z.looseObject({ keys: z.array(z.string()).optional() }) });

/** Paths of all objects in these collections; a kind that is not installed has none. */
async function objectsIn(cluster: Cluster, collections: readonly string[]): Promise<readonly string[]> {
  const paths = collections.map(async (collection) => {
    const { status, body } = await cluster.kubeClient.reply('GET', collection);
    if (status === 404) return [];
    return List.parse(body).items.map(({ metadata }) => `${collection}/${metadata.name}`);
  });
  return (await Promise.all(paths)).flat();
}

/** Paths of mounts, policies and so on. */
async function entriesOf(cluster: Cluster): Promise<readonly string[]> {
  const paths = ON_SERVER.map(async (listing) => {
    const headers = { 'x-vault-token': cluster.rootToken };
    const { status, body } = await cluster.baoClient.reply('GET', `/v1/${listing}`, undefined, headers);
    if (status === 404) return [];
    const { data } = Listing.parse(body);
    const path = listing.replace('?list=true', '');
    return (data.keys ?? Object.keys(data)).map((name) => `${path}/${name.replace(/\/$/, '')}`);
  });
  return (await Promise.all(paths)).flat();
}
