import { JsonClient } from './json-client.ts';
import { readPair } from './identities.ts';
import type { ClusterLayout } from './state.ts';

/** One client for each server, with full rights where the certificate gives them. */
export interface Clients {
  readonly etcd: JsonClient;
  /** As a member of system:masters. */
  readonly kube: JsonClient;
  readonly controllerManager: JsonClient;
  /** Without a token. */
  readonly bao: JsonClient;
}

export function createClients({ folder, ports }: ClusterLayout): Clients {
  const ca = {
    etcd: readPair(folder, 'etcd-ca').certificate,
    kubernetes: readPair(folder, 'kubernetes-ca').certificate,
    bao: readPair(folder, 'bao-ca').certificate,
  };
  const origin = (port: number): string => `https://127.0.0.1:${port}`;
  return {
    etcd: new JsonClient({
      origin: origin(ports.etcd),
      ca: ca.etcd,
      certificate: readPair(folder, 'apiserver-etcd-client'),
    }),
    kube: new JsonClient({
      origin: origin(ports.apiserver),
      ca: ca.kubernetes,
      certificate: readPair(folder, 'admin'),
    }),
    controllerManager: new JsonClient({ origin: origin(ports.controllerManager), ca: ca.kubernetes }),
    bao: new JsonClient({
      origin: origin(ports.bao),
      ca: ca.bao,
      // OpenBao and Vault demand it of nobody but agents; every good client sends it.
      headers: { 'x-vault-request': 'true' },
    }),
  };
}

export async function closeClients(clients: Clients): Promise<void> {
  await Promise.all(Object.values(clients).map((client: JsonClient) => client.close()));
}
