import type { V1Pod } from '@kubernetes/client-node';
import type { Stored } from '#src/kube/wire.ts';
import { OPERATOR_ACCOUNT, type Cluster } from '#test/cluster/cluster.ts';
import type { KubectlResult } from '#test/cluster/kubectl.ts';
import type { Node } from '#test/cluster/node/node.ts';
import { deletePod } from '#test/cluster/node/pod.ts';
import { eventually, GiveUp } from './eventually.ts';

const HEALTH_PORT = 8081;
const READY_DEADLINE_MS = 60_000;
const PODS = `/api/v1/namespaces/${OPERATOR_ACCOUNT.namespace}/pods`;

/** The operator in a pod of a real node. */
export class OperatorPod {
  readonly #cluster: Cluster;
  readonly #place: { readonly namespace: string; readonly name: string };

  constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.#place = { namespace: OPERATOR_ACCOUNT.namespace, name };
  }

  async logs(): Promise<string> {
    const { namespace, name } = this.#place;
    return (await this.#cluster.kubectl(['logs', '-n', namespace, name])).stdout;
  }

  async exec(command: readonly string[]): Promise<KubectlResult> {
    const { namespace, name } = this.#place;
    return await this.#cluster.kubectl(['exec', '-n', namespace, name, '--', ...command]);
  }

  async untilReady(): Promise<void> {
    const { name } = this.#place;
    await eventually(
      `pod ${name} is ready`,
      async () => {
        const { status } = await this.#cluster.kube<Stored<V1Pod>>('GET', `${PODS}/${name}`);
        if (status?.phase === 'Failed') throw new GiveUp(`pod ${name} failed: ${await this.logs()}`);
        const ready = status?.conditions?.find(({ type }) => type === 'Ready');
        if (ready?.status === 'True') return true;
        throw new Error(`${JSON.stringify(status)}\n${await this.logs()}`);
      },
      { deadlineMs: READY_DEADLINE_MS, pollMs: 200 },
    );
  }

  /** Ends as Kubernetes asks: SIGTERM, and SIGKILL only after the grace period. */
  async delete(): Promise<void> {
    await deletePod(this.#cluster, this.#place);
  }
}

/** Creates the pod, with the ServiceAccount of config/, as strict as the profile "restricted". Does not wait. */
export async function createOperatorPod(
  cluster: Cluster,
  node: Node,
  { name, image }: { readonly name: string; readonly image: string },
): Promise<OperatorPod> {
  const container = {
    name: 'keyferry',
    image,
    imagePullPolicy: 'Never',
    args: ['operator', '--log-level=debug'],
    readinessProbe: { httpGet: { path: '/readyz', port: HEALTH_PORT }, periodSeconds: 1 },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
  await cluster.kube('POST', PODS, {
    metadata: { name },
    spec: {
      serviceAccountName: OPERATOR_ACCOUNT.name,
      containers: [container],
      restartPolicy: 'Never',
      dnsPolicy: 'Default',
      enableServiceLinks: false,
      securityContext: {
        // Without runAsUser: the image names its user, by number.
        runAsNonRoot: true,
        ...(node.hasSeccomp ? { seccompProfile: { type: 'RuntimeDefault' } } : {}),
      },
    },
  });
  return new OperatorPod(cluster, name);
}
