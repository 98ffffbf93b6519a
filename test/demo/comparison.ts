import type { V1Secret } from '@kubernetes/client-node';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import type { Cluster } from '#test/cluster/cluster.ts';

type StoredSecret = Stored<V1Secret>;

export interface Comparison {
  readonly secrets: number;
  readonly keys: number;
  readonly bytes: number;
  /** Names of what differs; never a value. */
  readonly differences: readonly string[];
}

/** Reads the Secrets of both namespaces from the apiserver and compares type, immutability, keys and bytes. */
export async function compareNamespaces(cluster: Cluster, left: string, right: string): Promise<Comparison> {
  const originals = await secretsOf(cluster, left);
  const copies = await secretsOf(cluster, right);
  const names = new Set([...originals.keys(), ...copies.keys()]);
  const differences = [...names].flatMap((name) =>
    differencesOf(name, originals.get(name), copies.get(name)),
  );
  const values = [...originals.values()].flatMap((secret) => Object.values(secret.data ?? {}));
  return {
    secrets: originals.size,
    keys: values.length,
    bytes: values.reduce((sum, value) => sum + Buffer.from(value, 'base64').length, 0),
    differences,
  };
}

async function secretsOf(cluster: Cluster, namespace: string): Promise<ReadonlyMap<string, StoredSecret>> {
  const list = await cluster.kube<StoredList<V1Secret>>('GET', `/api/v1/namespaces/${namespace}/secrets`);
  return new Map(list.items.map((secret) => [secret.metadata.name, secret]));
}

function differencesOf(
  name: string,
  original: StoredSecret | undefined,
  copy: StoredSecret | undefined,
): readonly string[] {
  if (original === undefined) return [`${name}: only in the copy`];
  if (copy === undefined) return [`${name}: missing in the copy`];
  const before = original.data ?? {};
  const after = copy.data ?? {};
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [
    ...(original.type === copy.type ? [] : [`${name}: type`]),
    ...((original.immutable ?? false) === (copy.immutable ?? false) ? [] : [`${name}: immutable`]),
    ...[...keys].filter((key) => before[key] !== after[key]).map((key) => `${name}: key ${key}`),
  ];
}
