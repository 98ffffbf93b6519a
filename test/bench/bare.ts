import { Agent, type Dispatcher } from 'undici';
import { API_VERSION } from '#src/api/group.ts';
import { OPERATOR_ACCOUNT, type Cluster } from '#test/cluster/cluster.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { fieldsOf, nameOf, SECRETS } from './documents.ts';
import { inLanes } from './lanes.ts';

/*
 * The bare loops: the same requests with the HTTP client, the number of connections and the rights of the operator, and nothing else.
 * A root token or an administrator would skip the access check, which is half of what the KV server does here.
 */

/** The default of --concurrent-documents. */
export const IN_FLIGHT = 32;
const PAGE = 500;
const MERGE_PATCH = 'application/merge-patch+json';

interface Sent {
  readonly body?: object;
  readonly contentType?: string;
  /** Default: 200 or 201. */
  readonly status?: number;
}

/** One server and one identity. */
export class BareClient implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #origin: string;
  readonly #headers: Readonly<Record<string, string>>;

  private constructor(origin: string, ca: string, headers: Readonly<Record<string, string>>) {
    this.#origin = origin;
    this.#headers = headers;
    this.#agent = new Agent({ connections: IN_FLIGHT, allowH2: false, connect: { ca }, bodyTimeout: 0 });
  }

  /** The API server, as the operator. */
  static async ofApi(cluster: Cluster): Promise<BareClient> {
    const token = await cluster.requestToken(OPERATOR_ACCOUNT.namespace, OPERATOR_ACCOUNT.name);
    return new BareClient(cluster.apiserverUrl, cluster.apiserverCaPem, { authorization: `Bearer ${token}` });
  }

  /** The KV server, with the documented policy for this mount. */
  static async ofKv(cluster: Cluster, mount: string): Promise<BareClient> {
    const token = await cluster.createToken(documentedPolicy(mount));
    return new BareClient(cluster.baoUrl, cluster.baoCaPem, { 'x-vault-token': token });
  }

  /** The text of the reply. Throws if it has another status. */
  async send(method: Dispatcher.HttpMethod, path: string, sent: Sent = {}): Promise<string> {
    const { body, contentType = 'application/json', status } = sent;
    const reply = await this.stream(method, path, {
      headers: { ...this.#headers, ...(body === undefined ? {} : { 'content-type': contentType }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // Otherwise undici closes the connection after a DELETE with a body.
      reset: false,
    });
    const text = await reply.body.text();
    const isExpected =
      status === undefined ? [200, 201].includes(reply.statusCode) : reply.statusCode === status;
    if (!isExpected) throw new Error(`${method} ${path}: ${reply.statusCode} ${text.slice(0, 300)}`);
    return text;
  }

  async stream(
    method: Dispatcher.HttpMethod,
    path: string,
    options: Partial<Dispatcher.RequestOptions> = {},
  ): Promise<Dispatcher.ResponseData> {
    return await this.#agent.request({
      origin: this.#origin,
      path,
      method,
      headers: this.#headers,
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

/** Where documents are in a KV store: `folder/<name>` of a mount. */
export interface Folder {
  readonly client: BareClient;
  readonly mount: string;
  readonly folder: string;
}

function dataPath({ folder, mount }: Folder, index: number): string {
  return `/v1/${mount}/data/${folder}/${nameOf(index)}`;
}

function secretsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/secrets`;
}

/** A conditional write and a read of that version, of each document. */
export async function barePush(to: Folder, count: number): Promise<void> {
  await inLanes(count, IN_FLIGHT, async (index) => {
    const path = dataPath(to, index);
    await to.client.send('POST', path, { body: { data: fieldsOf(index), options: { cas: 0 } } });
    await to.client.send('GET', `${path}?version=1`);
  });
}

/** The creation of each Secret; of `kind`. */
export async function bareCreation(
  api: BareClient,
  namespace: string,
  count: number,
  kind: keyof typeof SECRETS = 'plain',
): Promise<void> {
  await inLanes(count, IN_FLIGHT, async (index) => {
    await api.send('POST', secretsPath(namespace), { body: SECRETS[kind](index) });
  });
}

/** All Secrets of the namespace in pages, and a read of each document. */
export async function bareReads(
  from: Folder,
  api: BareClient,
  namespace: string,
  count: number,
): Promise<void> {
  await listSecrets(api, namespace);
  await inLanes(count, IN_FLIGHT, async (index) => {
    await from.client.send('GET', dataPath(from, index));
  });
}

interface Listed {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly { readonly metadata: SecretVersion & { readonly name: string } }[];
}

interface SecretVersion {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** The Secrets of the namespace, by name. */
async function listSecrets(api: BareClient, namespace: string): Promise<ReadonlyMap<string, SecretVersion>> {
  const found = new Map<string, SecretVersion>();
  let next = '';
  do {
    const text = await api.send('GET', `${secretsPath(namespace)}?limit=${PAGE}${next}`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API server says so.
    const { items, metadata } = JSON.parse(text) as Listed;
    for (const { metadata: of } of items) found.set(of.name, of);
    next = metadata.continue ? `&continue=${encodeURIComponent(metadata.continue)}` : '';
  } while (next !== '');
  return found;
}

/**
 * What a run that removes verified Secrets sends: all Secrets in pages, and for each a read in KV, a label, a read at both ends, a
 * delete with preconditions, and a read.
 */
export async function bareRemoval(
  proof: Folder,
  api: BareClient,
  namespace: string,
  count: number,
): Promise<void> {
  const versions = await listSecrets(api, namespace);
  await inLanes(count, IN_FLIGHT, async (index) => {
    const path = `${secretsPath(namespace)}/${nameOf(index)}`;
    const version = versions.get(nameOf(index));
    if (version === undefined) throw new Error(`${path} does not exist`);
    const { uid } = version;
    await proof.client.send('GET', dataPath(proof, index));
    const label = { metadata: { resourceVersion: version.resourceVersion, labels: { bench: 'claimed' } } };
    const claimed = await api.send('PATCH', path, { body: label, contentType: MERGE_PATCH });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The API server says so.
    const { resourceVersion } = (JSON.parse(claimed) as { metadata: SecretVersion }).metadata;
    await api.send('GET', path);
    await proof.client.send('GET', dataPath(proof, index));
    await api.send('DELETE', path, {
      body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } },
    });
    await api.send('GET', path, { status: 404 });
  });
}

/** The collection of all SecretMigrations. */
export const MIGRATIONS_PATH = `/apis/${API_VERSION}/secretmigrations`;
