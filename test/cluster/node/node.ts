import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { V1Node, V1Pod } from '@kubernetes/client-node';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import { join } from 'node:path';
import type { Report } from '../build.ts';
import type { Cluster } from '../cluster.ts';
import { KUBERNETES_SERVICE_ADDRESS } from '../identities.ts';
import { waitUntilReady, type Probe } from '../lifecycle.ts';
import { startProcess, type ProcessSpec } from '../processes.ts';
import { reapNode } from '../reap.ts';
import { readState } from '../state.ts';
import { IMAGE_ARCHITECTURE, PAUSE_IMAGE, WORKLOAD_IMAGE, WORKLOAD_PROGRAM, writeImage } from './images.ts';
import { insideOf, openNamespaces, type Namespaces } from './namespaces.ts';
import {
  CONTAINERD_SOCKET,
  containerdSpec,
  forwarderSpecs,
  kubeletSpec,
  namesSpec,
  NODE_NAME,
  nodeControllersSpec,
  schedulerSpec,
  SNAPSHOTTER,
  writeNodeFiles,
  type NodeLayout,
} from './node-servers.ts';
import { findNodeBinaries } from './node-tools.ts';
import { deletePod, runPod, type PodRequest, type RunningPod } from './pod.ts';
import { nodeObstacle } from './requirements.ts';

const KV_PORT = 8200;
const CTR_FLAGS = ['--address', CONTAINERD_SOCKET, '--namespace', 'k8s.io'] as const;

/** What another process needs to use the node; below the cluster's folder. */
interface NodeState {
  readonly hasSeccomp: boolean;
  /** In the node's network, for its pods. */
  readonly address: string;
  /** The program. */
  readonly ctr: string;
}

/**
 * Gives the cluster a real node: kube-scheduler, kubelet, containerd, runc and a network for pods, in namespaces of
 * their own, so that the machine's mounts, processes, network and kernel settings stay as they are. Resolves when the
 * node is ready for pods. It ends with the cluster, or earlier when it is disposed of; one node for a cluster.
 * Throws one sentence when this machine cannot run a node.
 */
export async function startNode(
  cluster: Cluster,
  report: Report = (line) => void process.stderr.write(`${line}\n`),
): Promise<Node> {
  const obstacle = nodeObstacle();
  if (obstacle !== undefined) throw new Error(obstacle);
  if (existsSync(join(cluster.folder, 'node'))) {
    throw new Error('This cluster has a node already: dispose of it before another is started.');
  }
  const binaries = await findNodeBinaries(report);
  const started = performance.now();
  mkdirSync(join(cluster.folder, 'node'), { mode: 0o700 });
  try {
    const namespaces = await openNamespaces(cluster.folder);
    const layout = { cluster: readState(cluster.stateFile), address: namespaces.address, binaries };
    await writeNodeFiles(layout);
    await startServers(cluster, layout, namespaces);
    const { hasSeccomp, ctr } = binaries;
    const state: NodeState = { hasSeccomp, ctr, address: namespaces.address };
    writeFileSync(stateFileOf(cluster), JSON.stringify(state));
  } catch (error) {
    await reapNode(cluster.folder);
    throw error;
  }
  report(
    `kubelet, containerd, runc ready for pods in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  return attachNode(cluster);
}

/** The node that another process started for this cluster. */
export function attachNode(cluster: Cluster): Node {
  const state: NodeState = JSON.parse(readFileSync(stateFileOf(cluster), 'utf8'));
  return new Node(cluster, state);
}

/** A cluster's real node; its methods act as administrator. */
export class Node implements AsyncDisposable {
  readonly name = NODE_NAME;
  /** Whether runc can apply seccomp profiles; a pod that asks for one does not start otherwise. */
  readonly hasSeccomp: boolean;
  readonly #cluster: Cluster;
  readonly #state: NodeState;
  #servesNames = false;

  constructor(cluster: Cluster, state: NodeState) {
    this.#cluster = cluster;
    this.#state = state;
    this.hasSeccomp = state.hasSeccomp;
  }

  /** Makes an image known to the node, from an archive in the format of `docker save`. Pods then use it with `imagePullPolicy: Never`. */
  async importImage(archive: string): Promise<void> {
    await importImage(insideOf(this.#cluster.folder), this.#state.ctr, archive);
  }

  /**
   * Lets pods reach the KV server, for as long as the node lives, and returns the address to use. Its certificate is for
   * `localhost`: a backend needs that as `tlsServerName`. Call it once. `url`: of a proxy in front of it.
   */
  async exposeKvServer(url = this.#cluster.baoUrl): Promise<string> {
    const { folder } = this.#cluster;
    const listen = `${this.#state.address}:${KV_PORT}`;
    const inside = insideOf(folder);
    const specs = forwarderSpecs(this.#cluster, { name: 'kv', listen, port: Number(new URL(url).port) });
    startProcess(folder, specs.outside);
    startProcess(folder, inside.enter(specs.inside));
    return `https://${listen}`;
  }

  /**
   * Lets pods that start after the first call resolve these names to IPv4 addresses; the next call replaces the names. The
   * node has no other DNS.
   */
  serveNames(names: Readonly<Record<string, string>>): void {
    const { folder } = this.#cluster;
    writeFileSync(join(folder, 'node', 'names.json'), JSON.stringify(names));
    if (this.#servesNames) return;
    this.#servesNames = true;
    startProcess(folder, insideOf(folder).enter(namesSpec(folder, this.#state.address)));
  }

  /** A folder of the node for the user of a pod, as a volume that the next claim gets. */
  async offerVolume(name: string, user: number): Promise<void> {
    const path = join(this.#cluster.folder, 'node', 'volumes', name);
    mkdirSync(path, { recursive: true });
    chownSync(path, user, user);
    const spec = {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path },
    };
    await this.#cluster.kube('POST', '/api/v1/persistentvolumes', { metadata: { name }, spec });
  }

  /** Starts a pod that shows what it resolves from Secrets, and waits until it has. */
  async runPod(request: PodRequest): Promise<RunningPod> {
    return await runPod(this.#cluster, request, this.hasSeccomp);
  }

  /** Deletes all pods, ends the node and removes what belonged to it. The cluster goes on without it. */
  async dispose(): Promise<void> {
    const pods = await this.#cluster.kube<StoredList<V1Pod>>(
      'GET',
      `/api/v1/pods?fieldSelector=spec.nodeName%3D${this.name}`,
    );
    const deletions = await Promise.allSettled(
      pods.items.map(({ metadata }) =>
        deletePod(this.#cluster, { ...metadata, namespace: metadata.namespace ?? '' }),
      ),
    );
    await reapNode(this.#cluster.folder);
    await this.#cluster.kubeClient.reply('DELETE', `/api/v1/nodes/${this.name}`);
    for (const deletion of deletions) if (deletion.status === 'rejected') throw deletion.reason;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

function stateFileOf(cluster: Cluster): string {
  return join(cluster.folder, 'node', 'node.json');
}

async function startServers(cluster: Cluster, layout: NodeLayout, namespaces: Namespaces): Promise<void> {
  const { folder } = cluster;
  const start = async (spec: ProcessSpec, probe: Probe): Promise<void> => {
    const { pid } = startProcess(folder, spec);
    await waitUntilReady(folder, spec.name, probe, pid);
  };
  const atOnce = async (): Promise<boolean> => true;
  const forwarders = forwarderSpecs(cluster, {
    name: 'apiserver',
    listen: `${KUBERNETES_SERVICE_ADDRESS}:443`,
    port: layout.cluster.ports.apiserver,
  });
  await bindNodeRole(cluster);
  await start(forwarders.outside, atOnce);
  await start(namespaces.enter(forwarders.inside), atOnce);
  await start(schedulerSpec(layout), atOnce);
  await start(nodeControllersSpec(layout), atOnce);
  await start(namespaces.enter(containerdSpec(layout)), async () => {
    await namespaces.run(layout.binaries.ctr, [...CTR_FLAGS, 'version']);
    return true;
  });
  await importImages(layout, (image) => importImage(namespaces, layout.binaries.ctr, image));
  await start(namespaces.enter(kubeletSpec(layout)), () => isReadyForPods(cluster));
}

/**
 * The test clusters' apiserver has no Node authorizer; this is the right that kubelets had before there was one. The
 * ClusterRole is built in.
 */
async function bindNodeRole(cluster: Cluster): Promise<void> {
  await cluster.kubeClient.reply('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: NODE_NAME },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:node' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:nodes' }],
  });
}

async function importImage(inside: Pick<Namespaces, 'run'>, ctr: string, archive: string): Promise<void> {
  const how = ['--local', '--platform', `linux/${IMAGE_ARCHITECTURE}`, '--snapshotter', SNAPSHOTTER];
  await inside.run(ctr, [...CTR_FLAGS, 'images', 'import', ...how, archive]);
}

async function importImages(
  { cluster, binaries }: NodeLayout,
  importImage: (archive: string) => Promise<void>,
): Promise<void> {
  const images = [
    { name: 'pause', reference: PAUSE_IMAGE, files: { [WORKLOAD_PROGRAM]: binaries.pause } },
    { name: 'workload', reference: WORKLOAD_IMAGE, files: { [WORKLOAD_PROGRAM]: binaries.workload } },
  ];
  for (const image of images) {
    await importImage(await writeImage(join(cluster.folder, 'node'), image));
  }
}

/** Ready, and rid of the taint that keeps pods away from a node that is not. */
async function isReadyForPods(cluster: Cluster): Promise<boolean> {
  const node = await cluster.kube<Stored<V1Node>>('GET', `/api/v1/nodes/${NODE_NAME}`);
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  return ready?.status === 'True' && (node.spec?.taints ?? []).length === 0;
}
