import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GROUP, KINDS, VERSION } from '#src/api/group.ts';
import { eventually } from '#test/support/eventually.ts';
import { allowHarnessAddresses } from './admission.ts';
import type { Report } from './build.ts';
import { closeClients, createClients, type Clients } from './clients.ts';
import { readPair } from './identities.ts';
import type { JsonClient } from './json-client.ts';
import {
  createKubernetesRole,
  enableKubernetesAuth,
  waitForServiceAccount,
  type KubernetesRole,
} from './kubernetes-auth.ts';
import { runKubectl, type KubectlOptions, type KubectlResult } from './kubectl.ts';
import { KvServer } from './kv-server.ts';
import { Lifecycle, type Probe } from './lifecycle.ts';
import type { PemPair } from './pki.ts';
import { chooseSealKey } from './servers.ts';
import { apiserverIsReady, bringUp, controllerManagerIsReady, etcdIsReady } from './start.ts';
import {
  kubeconfigFile,
  pkiFile,
  readState,
  stateFileOf,
  type AuthorityName,
  type ClusterState,
  type ServerName,
} from './state.ts';
import type { Supervision } from './supervision.ts';

/** Where config/ puts the operator. */
export const OPERATOR_ACCOUNT = { namespace: 'keyferry-system', name: 'keyferry' } as const;

/** config/, or a scope in it. */
export function configFolder(scope?: string): string {
  return join(PROJECT_ROOT, 'config', ...(scope === undefined ? [] : ['scopes', scope]));
}

const PROJECT_ROOT = join(import.meta.dirname, '..', '..');
/** Nothing renews these tokens as a kubelet would; a kept demo must not lose its login after an hour. */
const TOKEN_SECONDS = 7 * 24 * 3600;

export interface StartOptions {
  /** Progress, one line a call. Default: standard error. */
  readonly report?: Report;
  /** Whose requests the API server records; test/cluster/audit.ts reads them. */
  readonly auditedUser?: string;
}

export interface TokenOptions {
  /** Default: the apiserver's own audience. */
  readonly audiences?: readonly string[];
  /** Default: a week. */
  readonly expirationSeconds?: number;
}

/**
 * Starts etcd, kube-apiserver, kube-controller-manager and the KV server and waits until all are ready. They stop and
 * their folder goes when the cluster is disposed of or when this process ends, in whichever way.
 */
export async function startCluster(options: StartOptions = {}): Promise<Cluster> {
  const { state, supervision } = await bringUp(options.report ?? reportToStandardError, options.auditedUser);
  return new Cluster(state, supervision);
}

/** The cluster that another process started; disposing of it only closes this process's connections. */
export function attachCluster(stateFile: string): Cluster {
  return new Cluster(readState(stateFile), undefined);
}

function reportToStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A running control plane and KV server. Every method talks to the real servers as administrator. */
export class Cluster implements AsyncDisposable {
  /** Below it lies everything of this cluster. */
  readonly folder: string;
  readonly stateFile: string;
  readonly isOpenBao: boolean;
  readonly apiserverUrl: string;
  readonly apiserverCaPem: string;
  /** kubeconfig of an administrator, certificates inline. */
  readonly kubeconfigPath: string;
  readonly baoUrl: string;
  readonly baoCaPem: string;
  readonly baoCaPath: string;
  readonly rootToken: string;
  /** Program of the KV server, which is also its command line client. */
  readonly baoProgram: string;
  readonly #state: ClusterState;
  readonly #clients: Clients;
  readonly #lifecycle: Lifecycle;
  readonly #kvServer: KvServer;
  readonly #supervision: Supervision | undefined;

  constructor(state: ClusterState, supervision: Supervision | undefined) {
    const { folder, ports } = state;
    this.folder = folder;
    this.stateFile = stateFileOf(folder);
    this.isOpenBao = state.kvProduct === 'openbao';
    this.apiserverUrl = `https://127.0.0.1:${ports.apiserver}`;
    this.apiserverCaPem = readPair(folder, 'kubernetes-ca').certificate;
    this.kubeconfigPath = kubeconfigFile(folder, 'admin');
    this.baoUrl = `https://127.0.0.1:${ports.bao}`;
    this.baoCaPath = pkiFile(folder, 'bao-ca', 'crt');
    this.baoCaPem = readPair(folder, 'bao-ca').certificate;
    this.rootToken = state.keys.rootToken;
    this.baoProgram = state.servers.bao.command;
    this.#state = state;
    this.#clients = createClients(state);
    this.#lifecycle = new Lifecycle(state);
    this.#kvServer = new KvServer(this.#clients.bao, state.kvProduct);
    this.#supervision = supervision;
  }

  // --- talking to the servers ---

  /** One request to the apiserver as system:masters; throws ReplyError for 400 and above. */
  async kube<T>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<T> {
    return await this.#clients.kube.request<T>(method, path, body, headers);
  }

  /** One request to the KV server, `path` without `/v1/`, with the root token unless another is given. */
  async bao<T>(method: string, path: string, body?: unknown, token = this.rootToken): Promise<T> {
    return await this.#clients.bao.request<T>(method, `/v1/${path}`, body, { 'x-vault-token': token });
  }

  /** The clients behind `kube` and `bao`, for callers that want the status of a refusal or other headers. */
  get kubeClient(): JsonClient {
    return this.#clients.kube;
  }

  get baoClient(): JsonClient {
    return this.#clients.bao;
  }

  /** To run it with another kubeconfig. */
  get kubectlProgram(): string {
    return this.#state.kubectl;
  }

  /** Runs kubectl as administrator. */
  async kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult> {
    const { kubectl: program, folder } = this.#state;
    return await runKubectl({ program, kubeconfig: this.kubeconfigPath, home: folder }, args, options);
  }

  /** What etcd itself stores below a key prefix, e.g. `/registry/keyferry.io/`: key → bytes. */
  async etcdEntries(prefix: string): Promise<ReadonlyMap<string, Buffer>> {
    const key = Buffer.from(prefix);
    const end = Buffer.concat([key.subarray(0, -1), Buffer.of((key.at(-1) ?? 0) + 1)]);
    const reply = await this.#clients.etcd.request<{ kvs?: readonly { key: string; value?: string }[] }>(
      'POST',
      '/v3/kv/range',
      { key: key.toString('base64'), range_end: end.toString('base64') },
    );
    const entries = reply.kvs ?? [];
    return new Map(
      entries.map((entry) => [
        Buffer.from(entry.key, 'base64').toString('utf8'),
        Buffer.from(entry.value ?? '', 'base64'),
      ]),
    );
  }

  // --- faults ---

  /** SIGKILL; resolves when the process is gone. */
  async kill(name: ServerName): Promise<void> {
    await this.#lifecycle.kill(name);
  }

  /** SIGSTOP: connections stay open and nothing is answered. */
  async pause(name: ServerName): Promise<void> {
    await this.#lifecycle.pause(name);
  }

  resume(name: ServerName): void {
    this.#lifecycle.resume(name);
  }

  isRunning(name: ServerName): boolean {
    return this.#lifecycle.isRunning(name);
  }

  /** Id of the server's process, for tests that look at it from outside. */
  pid(name: ServerName): number | undefined {
    return this.#lifecycle.pid(name);
  }

  /** Kills the server if it runs, starts it on the same port and data and waits until it serves (unsealed). */
  async restart(name: ServerName): Promise<void> {
    await this.kill(name);
    if (name === 'bao') {
      await this.#lifecycle.start(name, () => this.#kvServer.answers());
      await this.#openKvServer();
    } else {
      await this.#lifecycle.start(name, this.#probes()[name]);
    }
  }

  /** Seals the KV server; it answers 503 until `unseal`. OpenBao is restarted without its key, see `chooseSealKey`. */
  async seal(): Promise<void> {
    if (this.isOpenBao) {
      await this.kill('bao');
      chooseSealKey(this.folder, 'wrong');
      await this.#lifecycle.start('bao', () => this.#kvServer.isSealed());
      return;
    }
    await this.#kvServer.seal(this.rootToken);
    await this.#lifecycle.waitUntil('bao', () => this.#kvServer.isSealed());
  }

  /** Unseals the KV server and waits until it leads. */
  async unseal(): Promise<void> {
    if (!this.isOpenBao) {
      await this.#openKvServer();
      return;
    }
    chooseSealKey(this.folder, 'right');
    await this.restart('bao');
  }

  async #openKvServer(): Promise<void> {
    const { unsealKey } = this.#state.keys;
    if (unsealKey !== undefined) await this.#kvServer.unseal(unsealKey);
    await this.#lifecycle.waitUntil('bao', () => this.#kvServer.isActive());
  }

  #probes(): Readonly<Record<Exclude<ServerName, 'bao'>, Probe>> {
    return {
      etcd: () => etcdIsReady(this.#clients),
      apiserver: () => apiserverIsReady(this.#clients),
      'controller-manager': () => controllerManagerIsReady(this.#clients),
    };
  }

  // --- things of one's own for each test ---

  /** A namespace with a unique name, ready for use (its default ServiceAccount exists). */
  async createNamespace(prefix: string): Promise<string> {
    const name = uniqueName(prefix);
    await this.kube('POST', '/api/v1/namespaces', { metadata: { name } });
    await waitForServiceAccount(this, name, 'default');
    return name;
  }

  /** Deletes the namespace and waits until the namespace controller has removed all in it. */
  async deleteNamespace(name: string): Promise<void> {
    await this.kubeClient.reply('DELETE', `/api/v1/namespaces/${name}`);
    await eventually(
      `namespace ${name} is gone`,
      async () => (await this.kubeClient.reply('GET', `/api/v1/namespaces/${name}`)).status === 404,
    );
  }

  /** A KV version 2 mount with a unique path, past the moment in which it refuses requests because it upgrades itself. */
  async createMount(prefix: string): Promise<string> {
    const path = uniqueName(prefix);
    await this.bao('POST', `sys/mounts/${path}`, { type: 'kv', options: { version: '2' } });
    await eventually(`mount ${path} serves`, async () => {
      await this.bao('GET', `${path}/config`);
      return true;
    });
    return path;
  }

  /** A KV version 1 mount with a unique path. */
  async createV1Mount(prefix: string): Promise<string> {
    const path = uniqueName(prefix);
    await this.bao('POST', `sys/mounts/${path}`, { type: 'kv', options: { version: '1' } });
    return path;
  }

  /** A service token of one hour with this policy (HCL) and `default`. */
  async createToken(policyHcl: string): Promise<string> {
    const policy = uniqueName('token');
    await this.bao('PUT', `sys/policies/acl/${policy}`, { policy: policyHcl });
    const reply = await this.bao<{ auth: { client_token: string } }>('POST', 'auth/token/create', {
      policies: [policy],
      ttl: '1h',
    });
    return reply.auth.client_token;
  }

  // --- identities ---

  /** A token of the ServiceAccount, through TokenRequest as the kubelet does it. */
  async requestToken(namespace: string, name: string, options: TokenOptions = {}): Promise<string> {
    const reply = await this.kube<{ status: { token: string } }>(
      'POST',
      `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
      {
        spec: {
          audiences: options.audiences ?? [],
          expirationSeconds: options.expirationSeconds ?? TOKEN_SECONDS,
        },
      },
    );
    return reply.status.token;
  }

  /**
   * A folder with `token`, `ca.crt` and `namespace` as a pod sees it at /var/run/secrets/kubernetes.io/serviceaccount.
   * Calling it again replaces the token, as the kubelet does when it rotates it.
   */
  async serviceAccountDirectory(namespace: string, name: string, options?: TokenOptions): Promise<string> {
    const folder = join(this.folder, 'service-accounts', namespace, name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const files = {
      token: await this.requestToken(namespace, name, options),
      'ca.crt': this.apiserverCaPem,
      namespace,
    };
    for (const [file, text] of Object.entries(files)) {
      writeFileSync(join(folder, `${file}.new`), text, { mode: 0o600 });
      renameSync(join(folder, `${file}.new`), join(folder, file));
    }
    return folder;
  }

  /** Lets the KV server check ServiceAccount tokens of this cluster. */
  async enableKubernetesAuth(mountPath?: string): Promise<void> {
    await enableKubernetesAuth(this, mountPath);
  }

  /** A role of that auth method with a policy of its own. */
  async createKubernetesRole(role: KubernetesRole): Promise<void> {
    await createKubernetesRole(this, role);
  }

  /** One of the cluster's authorities with its key, to issue more certificates (the proxies of tests do). */
  authority(name: AuthorityName): PemPair {
    return readPair(this.folder, `${name}-ca`);
  }

  // --- Keyferry ---

  /**
   * Applies crds/ and config/ (the operator's namespace, ServiceAccount, RBAC, admission policies, default backend) as a user
   * would, and allows the addresses of the harness. `scope`: a folder of config/scopes instead of config/.
   */
  async installKeyferry(scope?: string): Promise<void> {
    const crds = join(PROJECT_ROOT, 'crds');
    await this.#mustRun(['apply', '-f', crds]);
    await this.#mustRun(['wait', '--for=condition=Established', '--timeout=30s', '-f', crds]);
    await Promise.all(Object.values(KINDS).map(({ plural }) => this.#untilServed(plural)));
    await this.#mustRun(['apply', '-k', configFolder(scope)]);
    await waitForServiceAccount(this, OPERATOR_ACCOUNT.namespace, OPERATOR_ACCOUNT.name);
    await allowHarnessAddresses(this);
  }

  /** Established is not enough: the storage behind a new resource answers 429 for another moment. */
  async #untilServed(plural: string): Promise<void> {
    await eventually(`${plural} are served`, () => this.kube('GET', `/apis/${GROUP}/${VERSION}/${plural}`));
  }

  async #mustRun(args: readonly string[]): Promise<void> {
    const result = await this.kubectl(args);
    if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
  }

  // --- the end ---

  /** Lets the cluster outlive this process; `reapCluster(folder)` ends it then. */
  async keep(): Promise<void> {
    await this.#supervision?.keep();
  }

  /** For the process that started it: stops everything and removes the folder. Otherwise only closes connections. */
  async dispose(): Promise<void> {
    await closeClients(this.#clients);
    await this.#supervision?.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

/** The prefix and six random hexadecimal digits; a valid name for everything that we create. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(3).toString('hex')}`;
}
