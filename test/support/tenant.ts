import type { V1Secret } from '@kubernetes/client-node';
import type { Stored, StoredList } from '#src/kube/wire.ts';
import { API_VERSION, GROUP, KINDS, VERSION } from '#src/api/group.ts';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { keyRowsOf, type KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { parseSecretMigrationReport } from '#src/api/v1alpha1/secret-migration-report.ts';
import { aKubernetesBackend, anOpenBaoBackend } from '#test/builders/objects.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { documentedPolicy } from './documented-policy.ts';
import { eventually } from './eventually.ts';

export interface TenantOptions {
  /** Address of the KV server as the backend sees it, e.g. a proxy. Default: the server itself. */
  readonly address?: string;
  /** The name in the server's certificate, where the address has another. */
  readonly tlsServerName?: string;
  /** An existing namespace. Default: a new one. */
  readonly namespace?: string;
  /** The Secret with the token of its backend. Default: bao-token. */
  readonly tokenSecret?: string;
  /** An existing mount, to share it with another tenant. */
  readonly mount?: string;
  /** Default: the policy in docs/openbao-policy.md. */
  readonly policy?: string;
}

/**
 * One namespace with a backend `kubernetes` and a backend `bao` on its own mount, and queries for tests. All queries go
 * to the real servers as administrator, without a proxy.
 */
export class Tenant {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly mount: string;

  private constructor(cluster: Cluster, namespace: string, mount: string) {
    this.cluster = cluster;
    this.namespace = namespace;
    this.mount = mount;
  }

  /** An existing namespace, without its own backends. */
  static at(cluster: Cluster, namespace: string, mount: string): Tenant {
    return new Tenant(cluster, namespace, mount);
  }

  static async create(cluster: Cluster, options: TenantOptions = {}): Promise<Tenant> {
    const namespace = options.namespace ?? (await cluster.createNamespace('tenant'));
    const tokenSecret = options.tokenSecret ?? 'bao-token';
    const mount = options.mount ?? (await cluster.createMount('kv'));
    const tenant = new Tenant(cluster, namespace, mount);
    const token = await cluster.createToken(options.policy ?? documentedPolicy(mount));
    await tenant.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: tokenSecret },
      stringData: { token },
    });
    await tenant.apply(aKubernetesBackend());
    await tenant.apply(
      anOpenBaoBackend({
        address: options.address ?? cluster.baoUrl,
        mount,
        tokenSecret,
        caBundle: cluster.baoCaPem,
        ...(options.tlsServerName === undefined ? {} : { tlsServerName: options.tlsServerName }),
      }),
    );
    return tenant;
  }

  /** Creates or updates an object in the namespace, as kubectl apply does on the server side. */
  async apply(object: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly annotations?: object };
    readonly [member: string]: unknown;
  }): Promise<void> {
    const path = `${this.#collection(object)}/${object.metadata.name}?fieldManager=test&force=true`;
    await this.cluster.kube('PATCH', path, object, { 'content-type': 'application/apply-patch+yaml' });
  }

  async mergePatch(kind: keyof typeof KINDS, name: string, patch: object): Promise<void> {
    const path = `${this.#collection({ apiVersion: API_VERSION, kind })}/${name}`;
    await this.cluster.kube('PATCH', path, patch, { 'content-type': 'application/merge-patch+json' });
  }

  async delete(kind: keyof typeof KINDS | 'Secret', name: string): Promise<void> {
    const apiVersion = kind === 'Secret' ? 'v1' : API_VERSION;
    await this.cluster.kube('DELETE', `${this.#collection({ apiVersion, kind })}/${name}`);
  }

  async migration(name: string): Promise<SecretMigration> {
    const collection = this.#collection({ apiVersion: API_VERSION, kind: 'SecretMigration' });
    const parsed = parseSecretMigration(await this.cluster.kube('GET', `${collection}/${name}`));
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    return parsed.value;
  }

  /** Waits until Ready has the wanted status and reason for the current generation; returns the migration. */
  async untilReady(
    name: string,
    wanted: { readonly status?: 'True' | 'False' | 'Unknown'; readonly reason?: string } = { status: 'True' },
    deadlineMs = 60_000,
  ): Promise<SecretMigration> {
    const what = `${name} is Ready=${wanted.status ?? 'any'} ${wanted.reason ?? ''}`;
    return await eventually(
      what,
      async () => {
        const migration = await this.migration(name);
        const ready = migration.status.conditions?.find((condition) => condition.type === 'Ready');
        const isWanted =
          ready?.observedGeneration === migration.metadata.generation &&
          (wanted.status ?? ready.status) === ready.status &&
          (wanted.reason ?? ready.reason) === ready.reason;
        if (isWanted) return migration;
        throw new Error(`${JSON.stringify(ready)} ${JSON.stringify(migration.status.summary)}`);
      },
      { deadlineMs },
    );
  }

  async backend(name: string): Promise<SecretBackend> {
    const collection = this.#collection({ apiVersion: API_VERSION, kind: 'SecretBackend' });
    const parsed = parseSecretBackend(await this.cluster.kube('GET', `${collection}/${name}`));
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    return parsed.value;
  }

  /** The table of the migration, inline or from its reports: a row for each key. */
  async rows(name: string): Promise<readonly KeyRow[]> {
    const migration = await this.migration(name);
    if (migration.status.keys !== undefined) return keyRowsOf(migration.status.keys);
    const selector = encodeURIComponent(migration.status.reports?.labelSelector ?? 'none');
    const collection = this.#collection({ apiVersion: API_VERSION, kind: 'SecretMigrationReport' });
    const list = await this.cluster.kube<{ items: unknown[] }>(
      'GET',
      `${collection}?labelSelector=${selector}`,
    );
    return list.items.flatMap((item) => {
      const parsed = parseSecretMigrationReport(item);
      if (!parsed.ok) throw new Error(parsed.problems.join('; '));
      return keyRowsOf(parsed.value.report.rows);
    });
  }

  async secrets(): Promise<readonly Stored<V1Secret>[]> {
    const list = await this.cluster.kube<StoredList<V1Secret>>(
      'GET',
      `/api/v1/namespaces/${this.namespace}/secrets`,
    );
    return list.items;
  }

  async secret(name: string): Promise<Stored<V1Secret> | undefined> {
    return (await this.secrets()).find((secret) => secret.metadata.name === name);
  }

  #collection({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
    if (apiVersion === 'v1') return `/api/v1/namespaces/${this.namespace}/${kind.toLowerCase()}s`;
    const known = Object.entries(KINDS).find(([name]) => name === kind);
    if (known === undefined) throw new Error(`unknown kind ${kind}`);
    return `/apis/${GROUP}/${VERSION}/namespaces/${this.namespace}/${known[1].plural}`;
  }
}
