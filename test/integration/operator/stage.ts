import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import type { RecordedRequest } from '#test/support/request-history.ts';
import { Tenant, type TenantOptions } from '#test/support/tenant.ts';

/**
 * Nothing is tried again within a test because time has passed: what goes on must have been woken by an event. Failures
 * that pass by themselves (a server that was down) keep their back-off.
 */
const RETRY_NEVER = 3600;

/** A control plane, a KV server and one operator that reaches both of them through a recording proxy. */
export class Stage implements AsyncDisposable {
  readonly cluster: Cluster;
  /** Between operator and apiserver. */
  readonly api: RecordingProxy;
  /** Between operator and KV server, for the tenants of this stage. */
  readonly bao: RecordingProxy;
  #operator: OperatorProcess;

  private constructor(
    cluster: Cluster,
    proxies: { readonly api: RecordingProxy; readonly bao: RecordingProxy },
    operator: OperatorProcess,
  ) {
    this.cluster = cluster;
    this.api = proxies.api;
    this.bao = proxies.bao;
    this.#operator = operator;
  }

  static async open(): Promise<Stage> {
    const cluster = await startCluster({ report: () => undefined });
    await cluster.installKeyferry();
    const api = await startProxy(cluster, 'apiserver');
    const bao = await startProxy(cluster, 'bao');
    return new Stage(cluster, { api, bao }, await launch(cluster, api));
  }

  get operator(): OperatorProcess {
    return this.#operator;
  }

  /** Ends the operator as Kubernetes does and starts another one. */
  async restartOperator(): Promise<void> {
    await this.#operator.stop();
    this.#operator = await launch(this.cluster, this.api);
  }

  async tenant(options: TenantOptions = {}): Promise<Tenant> {
    return await Tenant.create(this.cluster, { address: this.bao.url, ...options });
  }

  /** Lines that the operator logged as errors. */
  errorLines(): readonly string[] {
    return this.#operator
      .logs()
      .split('\n')
      .filter((line) => line.includes('"level":"error"') || line.includes('"level":"fatal"'));
  }

  /** Writes at either server on behalf of migrations: neither questions nor the Lease nor events. */
  writes(): readonly RecordedRequest[] {
    return [...this.api.requests, ...this.bao.requests].filter(isWrite);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#operator.kill();
    await this.api[Symbol.asyncDispose]();
    await this.bao[Symbol.asyncDispose]();
    await this.cluster.dispose();
  }
}

async function launch(cluster: Cluster, api: RecordingProxy): Promise<OperatorProcess> {
  const args = ['--status-interval-seconds=1', `--waiting-retry-seconds=${RETRY_NEVER}`];
  return await startOperator(cluster, { apiserverUrl: api.url, args });
}

const NOT_A_WRITE =
  /\/sys\/capabilities-self$|\/selfsubjectaccessreviews$|\/leases(\/|$)|\/events(\/|$)|\/token$/;

function isWrite({ method, path }: RecordedRequest): boolean {
  return !['GET', 'LIST', 'HEAD'].includes(method) && !NOT_A_WRITE.test(path);
}

/** One stage for the tests of a file; after each of them the operator must not have logged an error. */
export function useStage(): () => Stage {
  let stage: Stage | undefined;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterEach(() => {
    expect(stage?.errorLines()).toEqual([]);
  });
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
  });
  return () => {
    if (stage === undefined) throw new Error('the stage is opened before the first test');
    return stage;
  };
}
