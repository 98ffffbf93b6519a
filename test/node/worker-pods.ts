import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { KubernetesObject, V1Job, V1Lease, V1Pod } from '@kubernetes/client-node';
import { MIGRATION_UID_LABEL } from '#src/api/group.ts';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import { OPERATOR_ACCOUNT, type Cluster } from '#test/cluster/cluster.ts';
import { eventually } from '#test/support/eventually.ts';

const { namespace: SYSTEM } = OPERATOR_ACCOUNT;
const INDEX_ANNOTATION = 'batch.kubernetes.io/job-completion-index';
const FAILURES_ANNOTATION = 'batch.kubernetes.io/job-index-failure-count';
/** A controller of Jobs waits 10 seconds before it makes the next pod of an index that failed. */
const REPLACED_MS = 60_000;

export type WorkerPod = Stored<V1Pod>;

/** The Job, the pods and the Leases of one migration with spec.parallelism. */
export class WorkerPods {
  readonly #cluster: Cluster;
  readonly #uid: string;

  /** `uid`: of the migration. */
  constructor(cluster: Cluster, uid: string) {
    this.#cluster = cluster;
    this.#uid = uid;
  }

  async jobs(): Promise<readonly Stored<V1Job>[]> {
    return await this.#list<V1Job>('/apis/batch/v1', 'jobs');
  }

  async pods(): Promise<readonly WorkerPod[]> {
    return await this.#list<V1Pod>('/api/v1', 'pods');
  }

  /** Names of the Leases of its ranges. */
  async leases(): Promise<readonly string[]> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM}/leases`;
    const { items } = await this.#cluster.kube<StoredList<V1Lease>>('GET', path);
    const names = items.map(({ metadata }) => metadata.name);
    return names.filter((name) => name.startsWith(`keyferry-range-${this.#uid}-`));
  }

  /** The pod of a range that is in this phase. */
  async untilIn(phase: 'Running' | 'Succeeded', index: number): Promise<WorkerPod> {
    return await eventually(`a pod of range ${index} is ${phase}`, async () =>
      (await this.pods()).find((pod) => rangeOfPod(pod) === index && pod.status?.phase === phase),
    );
  }

  /** The pod that the controller of Jobs makes in the place of this one. */
  async untilReplaced(pod: WorkerPod): Promise<WorkerPod> {
    const index = rangeOfPod(pod);
    const { uid } = pod.metadata;
    return await eventually(
      `there is another pod of range ${index}`,
      async () => (await this.pods()).find((each) => rangeOfPod(each) === index && each.metadata.uid !== uid),
      { deadlineMs: REPLACED_MS },
    );
  }

  async untilNothing(): Promise<void> {
    await eventually('no Job and no pod is left', async () => {
      const left = [...(await this.jobs()), ...(await this.pods())];
      return left.length === 0;
    });
  }

  /** The id of the process of a pod on this machine; undefined if it has ended. */
  processOf({ metadata: { uid } }: WorkerPod): number | undefined {
    const own = (pid: string): boolean =>
      [basename(this.#cluster.folder), uid].every((part) => read(pid, 'cgroup').includes(part)) &&
      read(pid, 'cmdline').includes(`--uid=${this.#uid}`);
    const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && own(name));
    return pid === undefined ? undefined : Number(pid);
  }

  /** As the kernel or an operator of the machine does: the kubelet knows nothing of it. */
  signal(pod: WorkerPod, signal: NodeJS.Signals): void {
    const pid = this.processOf(pod);
    if (pid === undefined) throw new Error(`pod ${pod.metadata.name} has no process`);
    process.kill(pid, signal);
  }

  async #list<T extends KubernetesObject>(api: string, plural: string): Promise<StoredList<T>['items']> {
    const selector = encodeURIComponent(`${MIGRATION_UID_LABEL}=${this.#uid}`);
    const path = `${api}/namespaces/${SYSTEM}/${plural}?labelSelector=${selector}`;
    return (await this.#cluster.kube<StoredList<T>>('GET', path)).items;
  }
}

function rangeOfPod({ metadata }: WorkerPod): number {
  return Number(metadata.annotations?.[INDEX_ANNOTATION]);
}

/** Failures of its range before this pod, as the controller of Jobs counts them. */
export function failuresBefore({ metadata }: WorkerPod): number {
  return Number(metadata.annotations?.[FAILURES_ANNOTATION]);
}

/** Empty for a process that has ended meanwhile. */
function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
