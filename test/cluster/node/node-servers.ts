import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addIdentity, KUBERNETES_SERVICE_ADDRESS, writeKubeconfig } from '../identities.ts';
import type { ProcessSpec } from '../processes.ts';
import { controllerFlags, flags } from '../servers.ts';
import { kubeconfigFile, pkiFile, type ClusterState } from '../state.ts';
import { PAUSE_IMAGE } from './images.ts';
import { cgroupOf } from './leftovers.ts';
import type { NodeBinaries } from './node-tools.ts';

export const NODE_NAME = 'keyferry-node';
/** In the node's own /run; kubelet and ctr are told it. */
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
/** The only one that works on every file system; the images of tests are small. */
export const SNAPSHOTTER = 'native';

const FORWARDER = join(import.meta.dirname, 'forward.ts');
const NAMES = join(import.meta.dirname, 'names.ts');

/** What the command lines of a node are made of. */
export interface NodeLayout {
  readonly cluster: ClusterState;
  /** The node's address. */
  readonly address: string;
  readonly binaries: NodeBinaries;
}

/** Paths below the cluster's folder; all that is the node's lies below `node/`. */
function nodeFile(cluster: ClusterState, name: string): string {
  return join(cluster.folder, 'node', name);
}

/** Writes certificates, kubeconfigs and the configurations of containerd, CNI and kubelet. */
export async function writeNodeFiles(layout: NodeLayout): Promise<void> {
  const { cluster, address } = layout;
  await addIdentity(cluster.folder, 'kubernetes', 'scheduler', {
    commonName: 'system:kube-scheduler',
    usages: ['client'],
  });
  await addIdentity(cluster.folder, 'kubernetes', 'kubelet', {
    commonName: `system:node:${NODE_NAME}`,
    organization: 'system:nodes',
    usages: ['client'],
  });
  await addIdentity(cluster.folder, 'kubernetes', 'kubelet-server', {
    commonName: NODE_NAME,
    ipAddresses: [address],
    usages: ['server'],
  });
  writeKubeconfig(cluster.folder, 'scheduler', `https://127.0.0.1:${cluster.ports.apiserver}`);
  writeKubeconfig(cluster.folder, 'kubelet', `https://${KUBERNETES_SERVICE_ADDRESS}`);
  writePrograms(layout);
  writeCniConfig(cluster);
  writeFileSync(nodeFile(cluster, 'containerd.toml'), containerdConfig(layout));
  writeFileSync(nodeFile(cluster, 'kubelet.json'), JSON.stringify(kubeletConfig(cluster), undefined, 2));
  writeFileSync(nodeFile(cluster, 'resolv.conf'), '');
}

/** containerd finds its shim, and the plugins each other, under fixed names in one folder. So does what stands before runc. */
function writePrograms({ cluster, binaries }: NodeLayout): void {
  const folder = nodeFile(cluster, 'bin');
  mkdirSync(folder);
  symlinkSync(binaries.shim, join(folder, 'containerd-shim-runc-v2'));
  symlinkSync(binaries.runc, join(folder, 'runc'));
  symlinkSync(binaries.runcWithoutSeccomp, join(folder, 'runc-without-seccomp'));
  symlinkSync(binaries.bridge, join(folder, 'bridge'));
  symlinkSync(binaries.hostLocal, join(folder, 'host-local'));
}

function writeCniConfig(cluster: ClusterState): void {
  const folder = nodeFile(cluster, 'cni');
  mkdirSync(folder);
  const subnet = '10.244.0.0/24';
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet }]],
    routes: [{ dst: '0.0.0.0/0' }],
    dataDir: '/run/cni',
  };
  const config = {
    cniVersion: '1.0.0',
    name: 'pods',
    // Without masquerading, which would need iptables or nftables: pods talk to each other and to the node.
    plugins: [{ type: 'bridge', bridge: 'pods', isGateway: true, ipMasq: false, ipam }],
  };
  writeFileSync(join(folder, 'pods.conflist'), JSON.stringify(config, undefined, 2));
}

function containerdConfig({ cluster, binaries }: NodeLayout): string {
  const quoted = (name: string): string => JSON.stringify(nodeFile(cluster, name));
  return `version = 3
root = ${quoted('containerd')}
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]

[grpc]
  address = "${CONTAINERD_SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
  path = ${quoted('opt')}

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "${SNAPSHOTTER}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE, which containers and small virtual machines lack, runc could not lower the score.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = [${quoted('bin')}]
    conf_dir = ${quoted('cni')}
    use_internal_loopback = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = ${quoted(join('bin', binaries.hasSeccomp ? 'runc' : 'runc-without-seccomp'))}
`;
}

function kubeletConfig(cluster: ClusterState): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pkiFile(cluster.folder, 'kubernetes-ca', 'crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: pkiFile(cluster.folder, 'kubelet-server', 'crt'),
    tlsPrivateKeyFile: pkiFile(cluster.folder, 'kubelet-server', 'key'),
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    podLogsDir: nodeFile(cluster, 'pod-logs'),
    volumePluginDir: nodeFile(cluster, 'volume-plugins'),
    resolvConf: nodeFile(cluster, 'resolv.conf'),
    // The harness has made the root; the kubelet may only use what is below it.
    cgroupDriver: 'cgroupfs',
    cgroupRoot: cgroupOf(cluster.folder),
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    // A full disk of the machine is no reason to stop the pods of a test.
    evictionHard: { 'memory.available': '0%', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    imageGCHighThresholdPercent: 100,
    // How soon a changed Secret shows in a volume; the default is a minute.
    syncFrequency: '2s',
  };
}

/** Leads from an address in the node's network to a server of the machine: one process on either side of a socket file. */
export function forwarderSpecs(
  cluster: Pick<ClusterState, 'folder'>,
  { name, listen, port }: { readonly name: string; readonly listen: string; readonly port: number },
): { readonly outside: ProcessSpec; readonly inside: ProcessSpec } {
  const socket = join(cluster.folder, 'node', `${name}.sock`);
  const spec = (side: string, from: string, to: string): ProcessSpec => ({
    name: `node-forward-${name}-${side}`,
    command: process.execPath,
    args: [FORWARDER, from, to],
  });
  return {
    outside: spec('outside', socket, `127.0.0.1:${port}`),
    inside: spec('inside', listen, socket),
  };
}

/** Answers DNS questions of pods at the node's address; pods that start from now on ask it. */
export function namesSpec(folder: string, address: string): ProcessSpec {
  writeFileSync(join(folder, 'node', 'resolv.conf'), `nameserver ${address}\n`);
  const args = [NAMES, address, join(folder, 'node', 'names.json')];
  return { name: 'node-names', command: process.execPath, args };
}

export function containerdSpec({ cluster, binaries }: NodeLayout): ProcessSpec {
  return {
    name: 'node-containerd',
    command: binaries.containerd,
    args: flags({ config: nodeFile(cluster, 'containerd.toml'), 'log-level': 'warn' }),
    environment: { PATH: `${nodeFile(cluster, 'bin')}:${process.env['PATH'] ?? ''}` },
  };
}

export function kubeletSpec({ cluster, address, binaries }: NodeLayout): ProcessSpec {
  const args = flags({
    config: nodeFile(cluster, 'kubelet.json'),
    kubeconfig: kubeconfigFile(cluster.folder, 'kubelet'),
    'root-dir': nodeFile(cluster, 'kubelet'),
    'cert-dir': nodeFile(cluster, 'kubelet-pki'),
    'hostname-override': NODE_NAME,
    'node-ip': address,
  });
  return { name: 'node-kubelet', command: binaries.kubelet, args };
}

export function schedulerSpec({ cluster, binaries }: NodeLayout): ProcessSpec {
  const kubeconfig = kubeconfigFile(cluster.folder, 'scheduler');
  const args = flags({ kubeconfig, 'leader-elect': false, 'secure-port': 0, profiling: false });
  return { name: 'node-scheduler', command: binaries.scheduler, args };
}

/** What needs a node: it takes the taint from a node that is ready, makes the pods of workloads, and binds their volumes. */
const NODE_CONTROLLERS = [
  'node-lifecycle-controller',
  'deployment-controller',
  'replicaset-controller',
  'statefulset-controller',
  'job-controller',
  'persistentvolume-binder-controller',
  'disruption-controller',
];

/** A second kube-controller-manager beside the cluster's. */
export function nodeControllersSpec({ cluster }: NodeLayout): ProcessSpec {
  const args = flags({
    'secure-port': 0,
    ...controllerFlags(cluster.folder, NODE_CONTROLLERS),
  });
  return { name: 'node-controllers', command: cluster.servers['controller-manager'].command, args };
}
