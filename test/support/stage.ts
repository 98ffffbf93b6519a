import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { startOperator, type OperatorProcess } from './operator-process.ts';
import { startProxy, type RecordingProxy } from './recording-proxy.ts';
import type { RecordedRequest } from './request-history.ts';
import { Tenant, type TenantOptions } from './tenant.ts';

/**
 * Within a test, no timer retries a waiting migration: only an event can wake it. Temporary failures (a server that was
 * down) keep their back-off.
 */
const RETRY_NEVER = 3600;

/** A control plane, a KV server and one operator that reaches both of them through a recording proxy. */
export class Stage implements AsyncDisposable {
  readonly cluster: Cluster;
  /** Between operator and apiserver. */
  readonly api: RecordingProxy;
  /** Between operator and KV server, for the tenants of this stage. */
  readonly bao: RecordingProxy;
  /** All operators so far, the running one last. */
  readonly #operators: OperatorProcess[];
  #allowed: RegExp | undefined;
  #errorsSeen = 0;

  private constructor(
    cluster: Cluster,
    proxies: { readonly api: RecordingProxy; readonly bao: RecordingProxy },
    operator: OperatorProcess,
  ) {
    this.cluster = cluster;
    this.api = proxies.api;
    this.bao = proxies.bao;
    this.#operators = [operator];
  }

  static async open(): Promise<Stage> {
    const cluster = await startCluster({ report: () => undefined });
    await cluster.installKeyferry();
    const api = await startProxy(cluster, 'apiserver');
    const bao = await startProxy(cluster, 'bao');
    return new Stage(cluster, { api, bao }, await launch(cluster, api));
  }

  get operator(): OperatorProcess {
    const last = this.#operators.at(-1);
    if (last === undefined) throw new Error('there is always one');
    return last;
  }

  /** Stops the operator, if it runs, as Kubernetes does, and starts another one, with additional variables. */
  async restartOperator(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    if (this.operator.isRunning) await this.operator.stop();
    this.#operators.push(await launch(this.cluster, this.api, environment));
  }

  async tenant(options: TenantOptions = {}): Promise<Tenant> {
    return await Tenant.create(this.cluster, { address: this.bao.url, ...options });
  }

  /** For a test that breaks something on purpose: expects errors whose line matches. */
  allowErrors(lines: RegExp): void {
    this.#allowed = lines;
  }

  /** Lines that operators logged as errors since the last call, except allowed ones. */
  takeUnexpectedErrors(): readonly string[] {
    const lines = this.#operators.flatMap(errorLinesOf);
    const fresh = lines.slice(this.#errorsSeen);
    const allowed = this.#allowed;
    this.#errorsSeen = lines.length;
    this.#allowed = undefined;
    return allowed === undefined ? fresh : fresh.filter((line) => !allowed.test(line));
  }

  /** Writes of migrations to either server: without reviews, the Lease and events. */
  writes(): readonly RecordedRequest[] {
    return [...this.api.requests, ...this.bao.requests].filter(isWrite);
  }

  /** Changes of the Secrets and documents of the tenant, as `method path`: without status and reports. */
  changesOf({ namespace, mount }: Tenant): readonly string[] {
    const place = new RegExp(`^/v1/${mount}/|/namespaces/${namespace}/secrets(/|$)`);
    const changes = this.writes().filter(({ path }) => place.test(path));
    return changes.map(({ method, path }) => `${method} ${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operator.kill();
    await this.api[Symbol.asyncDispose]();
    await this.bao[Symbol.asyncDispose]();
    await this.cluster.dispose();
  }
}

/** Errors that it logged, and all output that is not a log line: a stack trace, a warning of Node. */
function errorLinesOf(operator: OperatorProcess): readonly string[] {
  const lines = operator.logs().trimEnd().split('\n');
  return lines.filter((line) => !line.startsWith('{') || /"level":"(error|fatal)"/.test(line));
}

async function launch(
  cluster: Cluster,
  api: RecordingProxy,
  environment: Readonly<Record<string, string>> = {},
): Promise<OperatorProcess> {
  const args = [
    '--status-interval-seconds=1',
    `--waiting-retry-seconds=${RETRY_NEVER}`,
    // In the same output as the log, so that a search of the log covers it too.
    '--audit-log=stdout',
  ];
  return await startOperator(cluster, { apiserverUrl: api.url, args, environment });
}

const NOT_A_WRITE =
  /\/sys\/capabilities-self$|\/selfsubject(access)?reviews$|\/leases(\/|$)|\/events(\/|$)|\/token$/;

function isWrite({ method, path }: RecordedRequest): boolean {
  return !['GET', 'LIST', 'HEAD'].includes(method) && !NOT_A_WRITE.test(path);
}

/** One stage for the tests of a file. After each test it checks that the operator logged no error. */
export function useStage(): () => Stage {
  let stage: Stage | undefined;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterEach(() => {
    expect(stage?.takeUnexpectedErrors()).toEqual([]);
  });
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
  });
  return () => {
    if (stage === undefined) throw new Error('the stage is opened before the first test');
    return stage;
  };
}
