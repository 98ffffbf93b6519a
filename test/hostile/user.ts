import { API_VERSION, GROUP, KINDS } from '#src/api/group.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';
import { JsonClient, type JsonReply } from '#test/cluster/json-client.ts';

const RBAC = 'rbac.authorization.k8s.io';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** All that it takes to ask the operator for something, and nothing more: no right on Secrets or ServiceAccounts. */
const BOTH_KINDS: Rule = {
  apiGroups: [GROUP],
  resources: [KINDS.SecretBackend.plural, KINDS.SecretMigration.plural],
  verbs: ['create', 'get', 'list', 'update', 'patch', 'delete'],
};

const NAME = 'mallory';

/** A real user of the API server: a ServiceAccount with exactly these rights in one namespace, and its token. */
export class User implements AsyncDisposable {
  readonly namespace: string;
  readonly #client: JsonClient;

  private constructor(namespace: string, client: JsonClient) {
    this.namespace = namespace;
    this.#client = client;
  }

  static async create(cluster: Cluster, namespace: string): Promise<User> {
    const name = NAME;
    const at = `/apis/${RBAC}/v1/namespaces/${namespace}`;
    await cluster.kube('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
    await cluster.kube('POST', `${at}/roles`, { metadata: { name }, rules: [BOTH_KINDS] });
    await cluster.kube('POST', `${at}/rolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: RBAC, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    });
    const token = await cluster.requestToken(namespace, name);
    const client = new JsonClient({
      origin: cluster.apiserverUrl,
      ca: cluster.apiserverCaPem,
      headers: { authorization: `Bearer ${token}` },
    });
    return new User(namespace, client);
  }

  /** Adds a rule to the role; the API server knows it when this resolves. */
  async mayAlso(cluster: Cluster, rule: Rule): Promise<void> {
    const role = `/apis/${RBAC}/v1/namespaces/${this.namespace}/roles/${NAME}`;
    await cluster.kube('PUT', role, { metadata: { name: NAME }, rules: [BOTH_KINDS, rule] });
    const [resource] = rule.resources;
    await eventually(
      'the role is in force',
      async () => (await this.get(`/api/v1/namespaces/${this.namespace}/${resource}`)).status === 200,
    );
  }

  async create(object: {
    readonly kind: string;
    readonly metadata: { readonly name: string };
    readonly [member: string]: unknown;
  }): Promise<JsonReply> {
    return await this.#client.reply('POST', this.#collection(object.kind), object);
  }

  async patch(kind: string, name: string, patch: object): Promise<JsonReply> {
    const headers = { 'content-type': 'application/merge-patch+json' };
    return await this.#client.reply('PATCH', `${this.#collection(kind)}/${name}`, patch, headers);
  }

  async get(path: string): Promise<JsonReply> {
    return await this.#client.reply('GET', path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  #collection(kind: string): string {
    const plural = kind === 'SecretMigration' ? KINDS.SecretMigration.plural : KINDS.SecretBackend.plural;
    return `/apis/${API_VERSION}/namespaces/${this.namespace}/${plural}`;
  }
}
