import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { OPERATOR_ACCOUNT, startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { startNode, type Node } from '#test/cluster/node/node.ts';
import { eventually } from '#test/support/eventually.ts';
import { CHART, Helm } from '#test/support/helm.ts';
import { operatorImage } from '#test/support/image-archive.ts';
import { kvData, pathOf } from '#test/support/queries.ts';
import { Tenant } from '#test/support/tenant.ts';

const { namespace: SYSTEM } = OPERATOR_ACCOUNT;
const PODS = `/api/v1/namespaces/${SYSTEM}/pods`;
const WAIT = ['--wait', '--timeout=60s'];

/** A cluster of its own with a node, the image of the operator, a KV server that pods reach, and Helm: where a user installs Keyferry. */
export class Site implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly node: Node;
  readonly helm: Helm;
  /** Of the KV server, for pods. */
  readonly address: string;
  /** For values files and copies of the chart. */
  readonly folder = mkdtempSync(join(tmpdir(), 'keyferry-site-'));

  private constructor(cluster: Cluster, node: Node, helm: Helm, address: string) {
    this.cluster = cluster;
    this.node = node;
    this.helm = helm;
    this.address = address;
  }

  /**
   * `suite`: the cluster of the suite, which keeps the image. The API server records the requests of the operator. `startFront`: starts
   * a proxy in front of the KV server, for all pods, and resolves with its origin.
   */
  static async open(
    suite: Pick<Cluster, 'folder'>,
    startFront?: (cluster: Cluster) => Promise<string>,
  ): Promise<Site> {
    const auditedUser = `system:serviceaccount:${SYSTEM}:${OPERATOR_ACCOUNT.name}`;
    const cluster = await startCluster({ report: () => undefined, auditedUser });
    try {
      const node = await startNode(cluster, () => undefined);
      await node.importImage(operatorImage(suite));
      const address = await node.exposeKvServer(await startFront?.(cluster));
      const site = new Site(cluster, node, await Helm.find(4, cluster.kubeconfigPath), address);
      await site.#createNamespace();
      return site;
    } catch (error) {
      await cluster.dispose();
      throw error;
    }
  }

  async #createNamespace(): Promise<void> {
    const labels = { 'pod-security.kubernetes.io/enforce': this.node.hasSeccomp ? 'restricted' : 'baseline' };
    const manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM, labels } };
    await this.cluster.kube('POST', '/api/v1/namespaces', manifest);
  }

  /** A tenant whose backend reaches the KV server from a pod. */
  async tenant(namespace?: string): Promise<Tenant> {
    const { cluster, address } = this;
    return await Tenant.create(cluster, {
      address,
      tlsServerName: 'localhost',
      ...(namespace === undefined ? {} : { namespace }),
    });
  }

  /** What a user sets, and nothing about the image: the node has the one that the chart names. */
  get settings(): readonly string[] {
    const allowed = `--set=admission.allowedAddresses={${this.address}}`;
    // A runc without seccomp starts no pod that asks for it.
    return this.node.hasSeccomp ? [allowed] : [allowed, '--set=podSecurityContext.seccompProfile=null'];
  }

  /** Installs or upgrades and waits, as a user does; a failure says what the pods say. */
  async deploy(command: 'install' | 'upgrade', more: readonly string[] = [], chart = CHART): Promise<void> {
    const release = ['keyferry', chart, '--namespace', SYSTEM];
    const { code, stderr } = await this.helm.run([command, ...release, ...this.settings, ...more, ...WAIT]);
    if (code === 0) return;
    const events = await this.cluster.kubectl(['get', 'events', '-n', SYSTEM]);
    const logs = await this.cluster.kubectl(['logs', 'deployment/keyferry', '-n', SYSTEM]);
    throw new Error([stderr, events.stdout, logs.stdout, logs.stderr].join('\n'));
  }

  /** Uninstalls, and waits until no pod of the operator runs. */
  async uninstall(): Promise<void> {
    await this.helm.run(['uninstall', 'keyferry', '-n', SYSTEM, ...WAIT]);
    await this.untilNoPod();
  }

  async untilNoPod(): Promise<void> {
    // helm test leaves the pod of a test that failed.
    const selector = encodeURIComponent('app.kubernetes.io/name=keyferry');
    await eventually('no pod of the operator is left', async () => {
      const pods = await this.cluster.kube<{ items: unknown[] }>('GET', `${PODS}?labelSelector=${selector}`);
      return pods.items.length === 0;
    });
  }

  async readyReplicas(): Promise<number> {
    const path = `/apis/apps/v1/namespaces/${SYSTEM}/deployments/keyferry`;
    const { status } = await this.cluster.kube<{ status: { readyReplicas?: number } }>('GET', path);
    return status.readyReplicas ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Their controllers would make a new pod for each one that ends with the node.
    const makers = 'deployments,statefulsets,jobs';
    await this.cluster.kubectl(['delete', makers, '--all', '-A', '--cascade=foreground']);
    await this.node.dispose();
    await this.cluster.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A migration of one more Secret completes: the operator works. */
export async function moves(tenant: Tenant, name: string): Promise<void> {
  await tenant.apply(aSecret(name, { password: name }));
  await tenant.apply(aMigration(name, { select: { names: [name] } }));
  await tenant.untilReady(name);
  if ((await kvData(tenant, pathOf(tenant, name)))['password'] !== name) {
    throw new Error(`${name} is Ready, and its copy differs`);
  }
}
