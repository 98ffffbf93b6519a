import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { startOperator, type OperatorOptions, type OperatorProcess } from '#test/support/operator-process.ts';
import { startProxy, type RecordingProxy } from '#test/support/recording-proxy.ts';
import { RequestHistory } from '#test/support/request-history.ts';
import { Tenant, type TenantOptions } from '#test/support/tenant.ts';

const LOG_LINES = 40;

/**
 * A cluster of one's own with a recording proxy in front of either server. Both write into one history, so that the
 * requests of an operator compare across the two; whoever checks on it asks the servers directly.
 */
export class Rig implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly history: RequestHistory;
  readonly kube: RecordingProxy;
  readonly bao: RecordingProxy;

  private constructor(cluster: Cluster, kube: RecordingProxy, bao: RecordingProxy) {
    this.cluster = cluster;
    this.kube = kube;
    this.bao = bao;
    this.history = bao.history;
  }

  static async open(history: RequestHistory = new RequestHistory()): Promise<Rig> {
    const cluster = await startCluster();
    await cluster.installKeyferry();
    const [kube, bao] = await Promise.all([
      startProxy(cluster, 'apiserver', { history, keepBodies: true }),
      startProxy(cluster, 'bao', { history, keepBodies: true }),
    ]);
    return new Rig(cluster, kube, bao);
  }

  /** A namespace whose backend `bao` is reached through the proxy. */
  async tenant(options: TenantOptions = {}): Promise<Tenant> {
    return await Tenant.create(this.cluster, { address: this.bao.url, ...options });
  }

  /** An operator that reaches the apiserver through the proxy. */
  async operator(options: OperatorOptions = {}): Promise<OperatorProcess> {
    return await startOperator(this.cluster, { apiserverUrl: this.kube.url, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.dispose(); // With all operators.
    await Promise.all([this.kube[Symbol.asyncDispose](), this.bao[Symbol.asyncDispose]()]);
  }
}

/** One line of progress; vitest would hold back what goes through console until the test ends. */
export function report(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** `work`; when it fails, what the operator last said is reported: its log goes with the cluster. */
export async function withLogOf<T>(operator: OperatorProcess, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    report(operator.logs().trimEnd().split('\n').slice(-LOG_LINES).join('\n'));
    throw error;
  }
}
