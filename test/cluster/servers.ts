import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { auditFlags } from './audit.ts';
import type { Binaries } from './binaries.ts';
import type { ProcessSpec } from './processes.ts';
import { kubeconfigFile, pkiFile, type Ports, type ServerName } from './state.ts';

/** What every server's command line is made of. */
interface Layout {
  readonly folder: string;
  readonly ports: Ports;
  readonly binaries: Binaries;
  /** Whose requests the API server records; see audit.ts. Default: nobody's. */
  readonly auditedUser?: string | undefined;
}

/**
 * Owner references, namespace deletion, default ServiceAccounts, their CA ConfigMap, aggregated ClusterRoles and quotas are
 * real; nothing that would need a node runs.
 */
const CONTROLLERS = [
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller',
  'resourcequota-controller',
  // Checks the types of the admission policies.
  'validatingadmissionpolicy-status-controller',
];

const SERVICE_ACCOUNT_ISSUER = 'https://kubernetes.default.svc.cluster.local';

/** Command lines of all servers; each holds the cluster's folder, by which the reaper recognizes its processes. */
export function serverSpecs(layout: Layout): Readonly<Record<ServerName, ProcessSpec>> {
  return {
    etcd: etcdSpec(layout),
    apiserver: apiserverSpec(layout),
    'controller-manager': controllerManagerSpec(layout),
    bao: baoSpec(layout),
  };
}

/** `{a: 1}` → `--a=1`. */
export function flags(values: Readonly<Record<string, string | number | boolean>>): readonly string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

function etcdSpec({ folder, ports, binaries }: Layout): ProcessSpec {
  const clientUrl = `https://127.0.0.1:${ports.etcd}`;
  const peerUrl = `https://127.0.0.1:${ports.etcdPeer}`;
  const args = flags({
    name: 'default',
    'data-dir': join(folder, 'data', 'etcd'),
    'listen-client-urls': clientUrl,
    'advertise-client-urls': clientUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `default=${peerUrl}`,
    'client-cert-auth': true,
    'trusted-ca-file': pkiFile(folder, 'etcd-ca', 'crt'),
    'cert-file': pkiFile(folder, 'etcd', 'crt'),
    'key-file': pkiFile(folder, 'etcd', 'key'),
    'peer-client-cert-auth': true,
    'peer-trusted-ca-file': pkiFile(folder, 'etcd-ca', 'crt'),
    'peer-cert-file': pkiFile(folder, 'etcd', 'crt'),
    'peer-key-file': pkiFile(folder, 'etcd', 'key'),
    'log-level': 'warn',
  });
  return { name: 'etcd', command: binaries.etcd, args };
}

function apiserverSpec({ folder, ports, binaries, auditedUser }: Layout): ProcessSpec {
  const args = flags({
    'etcd-servers': `https://127.0.0.1:${ports.etcd}`,
    'etcd-cafile': pkiFile(folder, 'etcd-ca', 'crt'),
    'etcd-certfile': pkiFile(folder, 'apiserver-etcd-client', 'crt'),
    'etcd-keyfile': pkiFile(folder, 'apiserver-etcd-client', 'key'),
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'secure-port': ports.apiserver,
    // A loopback address is no valid endpoint of the `kubernetes` Service.
    'endpoint-reconciler-type': 'none',
    'service-cluster-ip-range': '10.96.0.0/16',
    'cert-dir': join(folder, 'data', 'apiserver'),
    'tls-cert-file': pkiFile(folder, 'apiserver', 'crt'),
    'tls-private-key-file': pkiFile(folder, 'apiserver', 'key'),
    'client-ca-file': pkiFile(folder, 'kubernetes-ca', 'crt'),
    'service-account-issuer': SERVICE_ACCOUNT_ISSUER,
    'service-account-key-file': pkiFile(folder, 'service-account', 'pub'),
    'service-account-signing-key-file': pkiFile(folder, 'service-account', 'key'),
    'authorization-mode': 'RBAC',
    // Used only once a node is started (node/node.ts): logs and exec of its pods.
    'kubelet-preferred-address-types': 'InternalIP',
    'kubelet-certificate-authority': pkiFile(folder, 'kubernetes-ca', 'crt'),
    'kubelet-client-certificate': pkiFile(folder, 'apiserver-kubelet-client', 'crt'),
    'kubelet-client-key': pkiFile(folder, 'apiserver-kubelet-client', 'key'),
    profiling: false,
    ...(auditedUser === undefined ? {} : auditFlags(folder, auditedUser)),
  });
  return { name: 'apiserver', command: binaries.apiserver, args };
}

function controllerManagerSpec({ folder, ports, binaries }: Layout): ProcessSpec {
  const kubeconfig = kubeconfigFile(folder, 'controller-manager');
  const args = flags({
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': ports.controllerManager,
    'tls-cert-file': pkiFile(folder, 'controller-manager-server', 'crt'),
    'tls-private-key-file': pkiFile(folder, 'controller-manager-server', 'key'),
    ...controllerFlags(folder, CONTROLLERS),
  });
  return { name: 'controller-manager', command: binaries.controllerManager, args };
}

/** What each kube-controller-manager of the cluster is told, whichever controllers it runs. */
export function controllerFlags(
  folder: string,
  controllers: readonly string[],
): Readonly<Record<string, string | number | boolean>> {
  return {
    kubeconfig: kubeconfigFile(folder, 'controller-manager'),
    controllers: controllers.join(','),
    'use-service-account-credentials': true,
    'service-account-private-key-file': pkiFile(folder, 'service-account', 'key'),
    'root-ca-file': pkiFile(folder, 'kubernetes-ca', 'crt'),
    // One replica: waiting for a lease would only slow down every restart.
    'leader-elect': false,
    // Many small namespaces come and go in a test run; the defaults are made for a production apiserver.
    'kube-api-qps': 500,
    'kube-api-burst': 1000,
    // A quota that is older than a CRD counts its objects from the next sync on; the default is five minutes.
    'resource-quota-sync-period': '5s',
    profiling: false,
  };
}

function baoSpec({ folder, binaries }: Layout): ProcessSpec {
  const args = ['server', `-config=${baoConfigFile(folder)}`];
  return { name: 'bao', command: binaries.kvServer, args };
}

function baoConfigFile(folder: string): string {
  return join(folder, 'bao.json');
}

/**
 * Makes OpenBao start with the seal key it was set up with, or with another one. A static seal opens itself within
 * seconds of `sys/seal`; a server that does not have the key stays sealed for as long as a test needs.
 */
export function chooseSealKey(folder: string, key: 'right' | 'wrong'): void {
  const file = baoConfigFile(folder);
  const config = z.looseObject({ seal: z.unknown() }).parse(JSON.parse(readFileSync(file, 'utf8')));
  const seal = key === 'right' ? sealStanza(folder, 'keyferry-test') : sealStanza(folder, 'lost');
  writeFileSync(file, JSON.stringify({ ...config, seal }, undefined, 2), { mode: 0o600 });
}

/** Writes the KV server's configuration: raft storage and TLS; for OpenBao a static seal with a random key. */
export function writeBaoConfig({ folder, ports, binaries }: Layout): void {
  const raftFolder = join(folder, 'data', 'bao');
  mkdirSync(raftFolder, { mode: 0o700 });
  const config = {
    // The multiplier shortens raft's timeouts fivefold: a node of one waits that long before it leads.
    storage: { raft: { path: raftFolder, node_id: 'bao-0', performance_multiplier: '1' } },
    listener: {
      tcp: {
        address: `127.0.0.1:${ports.bao}`,
        cluster_address: `127.0.0.1:${ports.baoCluster}`,
        tls_cert_file: pkiFile(folder, 'bao', 'crt'),
        tls_key_file: pkiFile(folder, 'bao', 'key'),
      },
    },
    api_addr: `https://127.0.0.1:${ports.bao}`,
    cluster_addr: `https://127.0.0.1:${ports.baoCluster}`,
    log_level: 'info',
    ...(binaries.kvProduct === 'openbao' ? { seal: staticSeal(folder) } : { disable_mlock: true, ui: false }),
  };
  writeFileSync(baoConfigFile(folder), JSON.stringify(config, undefined, 2), { mode: 0o600 });
}

function staticSeal(folder: string): object {
  const keyFile = pkiFile(folder, 'bao-seal', 'key');
  writeFileSync(keyFile, randomBytes(32), { mode: 0o600 });
  return sealStanza(folder, 'keyferry-test');
}

function sealStanza(folder: string, keyId: string): object {
  return { static: { current_key_id: keyId, current_key: `file://${pkiFile(folder, 'bao-seal', 'key')}` } };
}
