import type { V1Pod, V1ReplicaSet } from '@kubernetes/client-node';
import type { StoredList } from '#src/kube/wire.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { WORKLOAD_IMAGE, WORKLOAD_PROGRAM } from '#test/cluster/node/images.ts';
import type { Node } from '#test/cluster/node/node.ts';
import { eventually } from '#test/support/eventually.ts';

/** Deployments of one pod that shows what it resolves from Secrets, in one namespace. */
export class Deployments implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #hasSeccomp: boolean;
  readonly #namespace: string;

  constructor(cluster: Cluster, { hasSeccomp }: Pick<Node, 'hasSeccomp'>, namespace: string) {
    this.#cluster = cluster;
    this.#hasSeccomp = hasSeccomp;
    this.#namespace = namespace;
  }

  /** With these Secrets in the environment of its pod: `KF_` and the key. */
  async create(name: string, secrets: readonly string[], annotations: object): Promise<void> {
    const container = {
      name: 'workload',
      image: WORKLOAD_IMAGE,
      imagePullPolicy: 'Never',
      envFrom: secrets.map((secret) => ({ prefix: 'KF_', secretRef: { name: secret } })),
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
    };
    const securityContext = {
      runAsNonRoot: true,
      runAsUser: 65_532,
      ...(this.#hasSeccomp ? { seccompProfile: { type: 'RuntimeDefault' } } : {}),
    };
    const template = {
      metadata: { labels: { app: name } },
      spec: {
        containers: [container],
        securityContext,
        dnsPolicy: 'Default',
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        terminationGracePeriodSeconds: 1,
      },
    };
    const spec = { replicas: 1, selector: { matchLabels: { app: name } }, template };
    await this.#cluster.kube('POST', this.#apps('deployments'), { metadata: { name, annotations }, spec });
  }

  /** The only pod of a Deployment, once it runs and no other one is left; not this one. */
  async onlyPod(app: string, not?: string): Promise<string> {
    return await eventually(
      `one pod of ${app} runs`,
      async () => {
        const list = `/api/v1/namespaces/${this.#namespace}/pods?labelSelector=app%3D${app}`;
        const [pod, ...others] = (await this.#cluster.kube<StoredList<V1Pod>>('GET', list)).items;
        const isAlone = others.length === 0 && pod?.status?.phase === 'Running';
        return isAlone && pod.metadata.name !== not && pod.metadata.name;
      },
      { deadlineMs: 60_000 },
    );
  }

  async environmentOf(pod: string): Promise<Readonly<Record<string, string>>> {
    const command = ['exec', '-n', this.#namespace, pod, '--', WORKLOAD_PROGRAM, 'print'];
    const { stdout } = await this.#cluster.kubectl(command);
    const { env }: { env: Record<string, string> } = JSON.parse(stdout);
    return Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]),
    );
  }

  /** How many pod templates it has had: one more with each restart. */
  async generationsOf(app: string): Promise<number> {
    const list = `${this.#apps('replicasets')}?labelSelector=app%3D${app}`;
    return (await this.#cluster.kube<StoredList<V1ReplicaSet>>('GET', list)).items.length;
  }

  /** Else its controller makes a new pod for each one that ends with the node. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = ['delete', 'deployments', '--all', '-n', this.#namespace, '--cascade=foreground'];
    await this.#cluster.kubectl(all);
  }

  #apps(plural: string): string {
    return `/apis/apps/v1/namespaces/${this.#namespace}/${plural}`;
  }
}
