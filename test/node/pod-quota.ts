import type { V1ResourceQuota } from '@kubernetes/client-node';
import type { Stored } from '#src/kube/wire.ts';
import { OPERATOR_ACCOUNT, type Cluster } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';

const QUOTAS = `/api/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/resourcequotas`;

/** A ResourceQuota in the namespace of the operator, whose one replica runs. */
export class PodQuota implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #path: string;

  private constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.#path = `${QUOTAS}/${name}`;
  }

  static async create(cluster: Cluster, name: string): Promise<PodQuota> {
    await cluster.kube('POST', QUOTAS, { metadata: { name }, spec: { hard: { pods: '100' } } });
    return new PodQuota(cluster, name);
  }

  /** So many pods beside that of the operator, from now on. */
  async allow(others: number): Promise<void> {
    const pods = String(1 + others);
    const type = { 'content-type': 'application/merge-patch+json' };
    await this.#cluster.kube('PATCH', this.#path, { spec: { hard: { pods } } }, type);
    await eventually(`the quota is ${pods} pods`, async () => {
      const { status } = await this.#cluster.kube<Stored<V1ResourceQuota>>('GET', this.#path);
      return status?.hard?.['pods'] === pods && status.used?.['pods'] === '1';
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.kube('DELETE', this.#path);
  }
}
