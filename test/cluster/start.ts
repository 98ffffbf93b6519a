import { findBinaries, type Binaries } from './binaries.ts';
import type { Report } from './build.ts';
import { closeClients, createClients, type Clients } from './clients.ts';
import { writeIdentities, writeKubeconfig } from './identities.ts';
import { KvServer } from './kv-server.ts';
import { Lifecycle, PortTaken } from './lifecycle.ts';
import { freePorts } from './ports.ts';
import { serverSpecs, writeBaoConfig } from './servers.ts';
import { writeState, type ClusterLayout, type ClusterState, type KvKeys, type Ports } from './state.ts';
import { openSupervision, type Supervision } from './supervision.ts';

const ATTEMPTS = 3;

export interface Started {
  readonly state: ClusterState;
  readonly supervision: Supervision;
}

/** Brings a fresh cluster up, which records the requests of `auditedUser`; whatever fails, nothing is left behind. */
export async function bringUp(report: Report, auditedUser?: string): Promise<Started> {
  const binaries = await findBinaries(report);
  for (let attempt = 1; ; attempt += 1) {
    const supervision = await openSupervision();
    try {
      return { supervision, state: await bringUpIn(supervision.folder, { binaries, auditedUser }, report) };
    } catch (error) {
      await supervision.end();
      if (!(error instanceof PortTaken) || attempt === ATTEMPTS) throw error;
      report('another program took one of the ports: starting again');
    }
  }
}

async function bringUpIn(
  folder: string,
  { binaries, auditedUser }: { readonly binaries: Binaries; readonly auditedUser: string | undefined },
  report: Report,
): Promise<ClusterState> {
  const started = performance.now();
  const ports = await choosePorts();
  await writeIdentities(folder);
  for (const name of ['admin', 'controller-manager'] as const) {
    writeKubeconfig(folder, name, `https://127.0.0.1:${ports.apiserver}`);
  }
  const inputs = { folder, ports, binaries, auditedUser };
  writeBaoConfig(inputs);
  const layout: ClusterLayout = {
    folder,
    ports,
    kvProduct: binaries.kvProduct,
    kubectl: binaries.kubectl,
    servers: serverSpecs(inputs),
  };
  const clients = createClients(layout);
  try {
    const lifecycle = new Lifecycle(layout);
    const [keys] = await settleAll([
      startKvServer(lifecycle, clients, layout),
      startControlPlane(lifecycle, clients),
    ]);
    const state: ClusterState = { ...layout, keys };
    writeState(state);
    report(`etcd, kube-apiserver, kube-controller-manager, ${layout.kvProduct} up in ${seconds(started)} s`);
    return state;
  } finally {
    await closeClients(clients);
  }
}

async function choosePorts(): Promise<Ports> {
  const [etcd = 0, etcdPeer = 0, apiserver = 0, controllerManager = 0, bao = 0, baoCluster = 0] =
    await freePorts(6);
  return { etcd, etcdPeer, apiserver, controllerManager, bao, baoCluster };
}

async function startControlPlane(lifecycle: Lifecycle, clients: Clients): Promise<undefined> {
  await lifecycle.start('etcd', () => etcdIsReady(clients));
  await lifecycle.start('apiserver', () => apiserverIsReady(clients));
  await lifecycle.start('controller-manager', () => controllerManagerIsReady(clients));
  return undefined;
}

async function startKvServer(lifecycle: Lifecycle, clients: Clients, layout: ClusterLayout): Promise<KvKeys> {
  const server = new KvServer(clients.bao, layout.kvProduct);
  await lifecycle.start('bao', () => server.answers());
  const keys = await server.initialize();
  if (keys.unsealKey !== undefined) await server.unseal(keys.unsealKey);
  await lifecycle.waitUntil('bao', () => server.isActive());
  return keys;
}

export async function etcdIsReady({ etcd }: Clients): Promise<boolean> {
  return (await etcd.reply('GET', '/health')).status === 200;
}

export async function apiserverIsReady({ kube }: Clients): Promise<boolean> {
  return (await kube.reply('GET', '/readyz')).status === 200;
}

/** Ready means that its controllers work: a namespace has its default ServiceAccount and the CA's ConfigMap. */
export async function controllerManagerIsReady({ controllerManager, kube }: Clients): Promise<boolean> {
  const health = await controllerManager.reply('GET', '/healthz');
  const account = await kube.reply('GET', '/api/v1/namespaces/default/serviceaccounts/default');
  const authority = await kube.reply('GET', '/api/v1/namespaces/default/configmaps/kube-root-ca.crt');
  return [health, account, authority].every((reply) => reply.status === 200);
}

/** Waits for both even when one fails, so that no start goes on while the folder is being removed. */
async function settleAll<A, B>(work: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
