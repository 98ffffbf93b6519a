import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KvProduct } from './binaries.ts';
import type { ProcessSpec } from './processes.ts';

export const SERVER_NAMES = ['etcd', 'apiserver', 'controller-manager', 'bao'] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

export interface Ports {
  readonly etcd: number;
  readonly etcdPeer: number;
  readonly apiserver: number;
  readonly controllerManager: number;
  readonly bao: number;
  readonly baoCluster: number;
}

/** The three certificate authorities: one each, so that a client which trusts the wrong one is found out. */
export type AuthorityName = 'etcd' | 'kubernetes' | 'bao';

/** What is known before the first server starts. */
export interface ClusterLayout {
  readonly folder: string;
  readonly kvProduct: KvProduct;
  readonly kubectl: string;
  readonly ports: Ports;
  readonly servers: Readonly<Record<ServerName, ProcessSpec>>;
}

/** What the KV server gave out when it was initialized. */
export interface KvKeys {
  readonly rootToken: string;
  /** Vault's only key share; OpenBao unseals itself. */
  readonly unsealKey?: string;
}

/**
 * Everything that another process needs to use the cluster. Process ids are not here: they are in `run/<name>.pid`,
 * because a restart changes them. Holds the root token of a throw-away server; the folder is readable by this user only.
 */
export interface ClusterState extends ClusterLayout {
  readonly keys: KvKeys;
}

export function stateFileOf(folder: string): string {
  return join(folder, 'cluster.json');
}

export function readState(stateFile: string): ClusterState {
  const state: ClusterState = JSON.parse(readFileSync(stateFile, 'utf8'));
  return state;
}

export function writeState(state: ClusterState): void {
  const file = stateFileOf(state.folder);
  writeFileSync(`${file}.new`, JSON.stringify(state, undefined, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Path of a file of the cluster's PKI: `ca` of an authority, or a named pair. */
export function pkiFile(folder: string, name: string, part: 'crt' | 'key' | 'pub'): string {
  return join(folder, 'pki', `${name}.${part}`);
}

/** Also the name of the pair in it. */
export type KubeconfigName = 'admin' | 'controller-manager' | 'scheduler' | 'kubelet';

export function kubeconfigFile(folder: string, name: KubeconfigName): string {
  return join(folder, `${name}.kubeconfig`);
}
