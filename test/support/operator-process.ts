import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { request } from 'undici';
import { OPERATOR_ACCOUNT, uniqueName, type Cluster } from '#test/cluster/cluster.ts';
import { freePorts } from '#test/cluster/ports.ts';
import {
  isAlive,
  logFileOf,
  signalGroup,
  startProcess,
  stopProcess,
  type ProcessSpec,
  type StartedProcess,
} from '#test/cluster/processes.ts';
import { eventually, GiveUp } from './eventually.ts';
import { directoryRootOf } from './token-files.ts';

const PROJECT_ROOT = join(import.meta.dirname, '..', '..');
/** The bundle that ships; `make build` creates it. */
export const OPERATOR_BUNDLE = join(PROJECT_ROOT, 'dist', 'keyferry.js');
/** All servers of the harness are on it. */
const THIS_MACHINE = '127.0.0.0/8,::1/128';
const READY_DEADLINE_MS = 30_000;
const LOG_TAIL_LINES = 40;

export interface OperatorOptions {
  /** Name of the replica in the Lease. Default: a unique one. */
  readonly identity?: string;
  /** Its ServiceAccount, in the namespace of config/. Default: the one of config/, with the rights there. */
  readonly account?: string;
  /** URL of the Kubernetes API, e.g. of a proxy. Default: the apiserver itself. */
  readonly apiserverUrl?: string;
  /** Set different names for operators that must not compete for one Lease. Default: the default of the operator. */
  readonly leaseName?: string;
  /** Default: `debug`, because a failed test needs the logs. */
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error';
  /** Additional flags, after those of the harness. */
  readonly args?: readonly string[];
  /** Additional variables. The operator does not inherit the variables of the test. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Return as soon as the process exists, without waiting for its /readyz. */
  readonly skipReady?: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Runs `keyferry operator` as a child process with the identity and rights of the ServiceAccount of config/rbac. It
 * ends by `stop`, `kill` or with the cluster, even if this process crashes.
 */
export async function startOperator(
  cluster: Cluster,
  options: OperatorOptions = {},
): Promise<OperatorProcess> {
  if (options.leaseName !== undefined) await grantLease(cluster, options.leaseName);
  const identity = options.identity ?? uniqueName('operator');
  const [healthPort = 0, metricsPort = 0] = await freePorts(2);
  const { namespace } = OPERATOR_ACCOUNT;
  const name = options.account ?? OPERATOR_ACCOUNT.name;
  const args = [
    // The reaper finds its processes by the folder of the cluster, which this path contains.
    `--service-account-dir=${await cluster.serviceAccountDirectory(namespace, name)}`,
    `--identity=${identity}`,
    `--directory-root=${directoryRootOf(cluster)}`,
    `--health-bind-address=127.0.0.1:${healthPort}`,
    `--metrics-bind-address=127.0.0.1:${metricsPort}`,
  ];
  const operator = new OperatorProcess(
    startProcess(cluster.folder, specOf(cluster, options, identity, args)),
    {
      identity,
      logFile: logFileOf(cluster.folder, identity),
      healthUrl: `http://127.0.0.1:${healthPort}`,
      metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    },
  );
  if (options.skipReady !== true) await operator.waitUntilReady();
  return operator;
}

/** The role in config/rbac names one Lease. For another one, its users change the role; here a second one is beside it. */
async function grantLease(cluster: Cluster, lease: string): Promise<void> {
  const { namespace, name } = OPERATOR_ACCOUNT;
  const role = `lease-${lease}`;
  const api = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: role, namespace } };
  const objects = [
    {
      ...api,
      kind: 'Role',
      rules: [
        {
          apiGroups: ['coordination.k8s.io'],
          resources: ['leases'],
          resourceNames: [lease],
          verbs: ['get', 'update'],
        },
      ],
    },
    {
      ...api,
      kind: 'RoleBinding',
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
  ];
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  const { code, stderr } = await cluster.kubectl(['apply', '-f', '-'], { input });
  if (code !== 0) throw new Error(stderr);
}

function specOf(
  cluster: Cluster,
  options: OperatorOptions,
  name: string,
  ownArgs: readonly string[],
): ProcessSpec {
  const { logLevel = 'debug', leaseName, args = [], environment = {} } = options;
  const api = new URL(options.apiserverUrl ?? cluster.apiserverUrl);
  const chosen = [
    `--log-level=${logLevel}`,
    ...(leaseName === undefined ? [] : [`--lease-name=${leaseName}`]),
  ];
  return {
    name,
    command: OPERATOR_BUNDLE,
    workingDirectory: PROJECT_ROOT,
    args: ['operator', ...ownArgs, ...chosen, ...args],
    environment: {
      // It starts `node`, which must be the one that runs the tests.
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      KUBERNETES_SERVICE_HOST: api.hostname,
      KUBERNETES_SERVICE_PORT: api.port,
      KEYFERRY_ALLOW_CONNECT_TO: THIS_MACHINE,
      ...environment,
    },
  };
}

interface OperatorAddresses {
  readonly identity: string;
  readonly logFile: string;
  readonly healthUrl: string;
  readonly metricsUrl: string;
}

/** One running replica of the operator. */
export class OperatorProcess implements AsyncDisposable {
  readonly identity: string;
  readonly pid: number;
  readonly logFile: string;
  /** Origin that serves /healthz and /readyz. */
  readonly healthUrl: string;
  readonly metricsUrl: string;
  /** Resolves when the process has ended, for any reason. */
  readonly exited: Promise<Exit>;
  readonly #child: StartedProcess['child'];

  constructor({ pid, child }: StartedProcess, addresses: OperatorAddresses) {
    this.pid = pid;
    this.identity = addresses.identity;
    this.logFile = addresses.logFile;
    this.healthUrl = addresses.healthUrl;
    this.metricsUrl = addresses.metricsUrl;
    this.#child = child;
    this.exited = exitOf(child);
  }

  get isRunning(): boolean {
    return isAlive(this.pid);
  }

  /** Its standard output and standard error. */
  logs(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** The text of its /metrics. */
  async metrics(): Promise<string> {
    return await (await request(this.metricsUrl)).body.text();
  }

  async waitUntilReady(deadlineMs = READY_DEADLINE_MS): Promise<void> {
    const isReady = async (): Promise<boolean> => {
      if (!this.isRunning) throw new GiveUp(`${this.identity} exited; its last lines:\n${this.#logTail()}`);
      const reply = await request(`${this.healthUrl}/readyz`);
      await reply.body.dump();
      return reply.statusCode === 200;
    };
    await eventually(`${this.identity} is ready`, isReady, { deadlineMs });
  }

  /** Sends a signal and does not wait. */
  signal(signal: NodeJS.Signals): void {
    signalGroup(this.pid, signal);
  }

  /** SIGSTOP, as if its node slept: connections stay open, and what arrives waits. Resolves when every thread stands. */
  async pause(): Promise<void> {
    await stopProcess(this.pid);
  }

  /** SIGCONT after `pause`. */
  resume(): void {
    this.signal('SIGCONT');
  }

  /** Sends a signal that ends the process (default SIGKILL) and waits until it has ended. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.#child.ref(); // Keeps this process alive until the child has ended.
    this.signal(signal);
    return await this.exited;
  }

  /** SIGTERM, as Kubernetes asks a pod to end; waits for the drain. */
  async stop(): Promise<Exit> {
    return await this.kill('SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #logTail(): string {
    return this.logs().trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }
}

async function exitOf(child: StartedProcess['child']): Promise<Exit> {
  // If it has ended already, there is no event.
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return { code: child.exitCode, signal: child.signalCode };
}
