import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { OPERATOR_ACCOUNT, uniqueName, type Cluster } from '#test/cluster/cluster.ts';
import { startOperator, type OperatorProcess } from '#test/support/operator-process.ts';

const POLL_MS = 200;
const DEPLOYMENT = `/apis/apps/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/deployments/keyferry`;
const PODS = `/api/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/pods`;
/** What a process outside of a pod is told otherwise. */
const OF_PODS = /^--(?:health-bind-address|metrics-|identity|service-account-dir|directory-root|log-level)/;

const Deployment = z.object({
  metadata: z.object({ uid: z.string(), generation: z.number(), labels: z.looseObject({}).optional() }),
  spec: z.object({
    replicas: z.number(),
    template: z.object({
      metadata: z.looseObject({ labels: z.record(z.string(), z.string()).optional() }),
      spec: z.looseObject({
        serviceAccountName: z.string(),
        containers: z.array(z.looseObject({ name: z.string(), args: z.array(z.string()) })),
      }),
    }),
  }),
});
type Deployment = z.output<typeof Deployment>;

interface Replica {
  readonly pod: string;
  readonly operator: OperatorProcess;
}

/**
 * Does for the Deployment `keyferry` what a node does: runs the operator as its pods say, with their flags and their
 * ServiceAccount, as processes, and reports them as pods of the Deployment. There is no kubelet, so there are no logs and no exec.
 */
export class PodStandIn implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #ended = new AbortController();
  readonly #loop: Promise<void>;
  #replicas: readonly Replica[] = [];
  /** The Deployment that the replicas are of. */
  #running = '';

  constructor(cluster: Cluster, environment: Readonly<Record<string, string>>) {
    this.#cluster = cluster;
    this.#environment = environment;
    this.#loop = this.#follow();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#loop;
    await this.#stop();
  }

  async #follow(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const { status, body } = await this.#cluster.kubeClient.reply('GET', DEPLOYMENT);
      const deployment = status === 200 ? Deployment.parse(body) : undefined;
      const wanted =
        deployment === undefined ? '' : `${deployment.metadata.uid} ${deployment.metadata.generation}`;
      if (wanted !== this.#running) {
        this.#running = wanted;
        await this.#stop();
        if (deployment !== undefined) await this.#start(deployment);
      }
      await sleep(POLL_MS);
    }
  }

  async #stop(): Promise<void> {
    for (const { pod, operator } of this.#replicas) {
      await operator.stop();
      await this.#cluster.kubeClient.reply('DELETE', `${PODS}/${pod}`);
    }
    this.#replicas = [];
  }

  /** An operator that does not become ready leaves the Deployment as it is: not available. */
  async #start(deployment: Deployment): Promise<void> {
    const { replicas, template } = deployment.spec;
    const started: Replica[] = [];
    for (let index = 0; index < replicas; index += 1) {
      const operator = await this.#operatorOf(deployment).catch((error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
      });
      if (operator === undefined) return;
      const pod = uniqueName('keyferry-6d5f7c9b48').slice(0, -1);
      started.push({ pod, operator });
      await this.#reportPod(pod, template);
    }
    this.#replicas = started;
    await this.#cluster.kube('PATCH', `${DEPLOYMENT}/status`, { status: statusOf(deployment) }, MERGE);
  }

  async #operatorOf({ spec }: Deployment): Promise<OperatorProcess> {
    const { serviceAccountName, containers } = spec.template.spec;
    const [container] = containers;
    const args = (container?.args ?? []).filter((arg) => arg !== 'operator' && !OF_PODS.test(arg));
    return await startOperator(this.#cluster, {
      account: serviceAccountName,
      args,
      environment: this.#environment,
    });
  }

  async #reportPod(name: string, template: Deployment['spec']['template']): Promise<void> {
    const metadata = { name, labels: template.metadata.labels };
    await this.#cluster.kube('POST', PODS, { metadata, spec: template.spec });
    const containerStatuses = template.spec.containers.map((container) => ({
      name: container.name,
      ready: true,
      started: true,
      restartCount: 0,
      image: '',
      imageID: '',
      state: { running: { startedAt: new Date().toISOString() } },
    }));
    const conditions = [{ type: 'Ready', status: 'True' }];
    const status = { phase: 'Running', conditions, containerStatuses };
    await this.#cluster.kube('PATCH', `${PODS}/${name}/status`, { status }, MERGE);
  }
}

const MERGE = { 'content-type': 'application/merge-patch+json' } as const;

/** As the deployment controller writes it when all is done. */
function statusOf({ metadata, spec: { replicas } }: Deployment): object {
  return {
    observedGeneration: metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
    conditions: [
      { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'available' },
      { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message: 'available' },
    ],
  };
}
