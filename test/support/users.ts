import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { uniqueName, type Cluster } from '#test/cluster/cluster.ts';
import { JsonClient, type JsonReply } from '#test/cluster/json-client.ts';
import { eventually } from './eventually.ts';

/** One rule of a Role. */
export interface Right {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** Where rights are granted: in a namespace, or (undefined) in the cluster. */
export interface Granted {
  readonly namespace: string | undefined;
  readonly rights: readonly Right[];
}

/**
 * A real user: a ServiceAccount with exactly these rights, which authenticates with its token. Resolves when the API server
 * knows the rights.
 */
export async function aUser(
  cluster: Cluster,
  namespace: string,
  ...grants: readonly Granted[]
): Promise<User> {
  const name = uniqueName('user');
  await cluster.kube('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  for (const granted of grants) await grant(cluster, { kind: 'ServiceAccount', name, namespace }, granted);
  const user = new User(cluster, name, await cluster.requestToken(namespace, name));
  for (const { namespace: place, rights } of grants) await user.untilGranted(place, rights);
  return user;
}

async function grant(
  cluster: Cluster,
  subject: { readonly kind: string; readonly name: string; readonly namespace: string },
  { namespace, rights }: Granted,
): Promise<void> {
  const kind = namespace === undefined ? 'ClusterRole' : 'Role';
  const place = namespace === undefined ? '' : `namespaces/${namespace}/`;
  const base = `/apis/rbac.authorization.k8s.io/v1/${place}${kind.toLowerCase()}`;
  const metadata = { name: subject.name };
  await cluster.kube('POST', `${base}s`, { metadata, rules: rights });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: subject.name };
  await cluster.kube('POST', `${base}bindings`, { metadata, roleRef, subjects: [subject] });
}

export class User implements AsyncDisposable {
  readonly name: string;
  readonly #cluster: Cluster;
  readonly #token: string;
  readonly #client: JsonClient;

  constructor(cluster: Cluster, name: string, token: string) {
    this.name = name;
    this.#cluster = cluster;
    this.#token = token;
    this.#client = new JsonClient({
      origin: cluster.apiserverUrl,
      ca: cluster.apiserverCaPem,
      headers: { authorization: `Bearer ${token}` },
    });
  }

  async reply(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<JsonReply> {
    return this.#client.reply(method, path, body, headers);
  }

  /** Writes a kubeconfig with the token, as a person has one. Returns its path. */
  kubeconfig(): string {
    const { apiserverCaPem, apiserverUrl: server, folder } = this.#cluster;
    const path = join(folder, `${this.name}.kubeconfig`);
    const data = Buffer.from(apiserverCaPem).toString('base64');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': data } }],
      users: [{ name: 'u', user: { token: this.#token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  /** The API server learns of a binding a moment after it was created. */
  async untilGranted(namespace: string | undefined, rights: readonly Right[]): Promise<void> {
    const last = rights.at(-1);
    if (last === undefined) return;
    const { apiGroups, resources, verbs, resourceNames = [] } = last;
    const [resource, subresource] = resources[0]?.split('/') ?? [];
    const about = { namespace, group: apiGroups[0], resource, subresource };
    const resourceAttributes = { ...about, verb: verbs[0], name: resourceNames[0] };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
    await eventually(`${this.name} has its rights`, async () => {
      const { body } = await this.reply('POST', path, { spec: { resourceAttributes } });
      return JSON.stringify(body).includes('"allowed":true');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}
