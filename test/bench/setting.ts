import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { Tenant } from '#test/support/tenant.ts';
import { BareClient, type Folder } from './bare.ts';
import type { Findings } from './findings.ts';
import { MigrationWatch } from './watch.ts';

/** How much is measured. */
export interface Extent {
  /** Documents of one migration. */
  readonly sizes: readonly number[];
  /** Rounds of a size of up to 1,000 documents; larger ones have one. */
  readonly rounds: number;
  readonly small: { readonly migrations: number; readonly each: number };
  readonly many: { readonly migrations: number; readonly each: number; readonly idleSeconds: number };
  readonly starts: number;
  readonly rotation: { readonly documents: number; readonly rate: number; readonly seconds: number };
  /** Documents for the count of requests. */
  readonly counted: number;
}

export interface Bench {
  readonly extent: Extent;
  readonly findings: Findings;
}

/** A part of the bench. It starts its own cluster, so that no part sees what another one left. */
export interface Part {
  readonly name: string;
  readonly run: (bench: Bench) => Promise<void>;
}

/** A cluster with Keyferry's kinds and rights, a client with the rights of the operator, and a watch. */
export interface Setting {
  readonly cluster: Cluster;
  readonly api: BareClient;
  readonly watch: MigrationWatch;
}

export async function inSetting(work: (setting: Setting) => Promise<void>): Promise<void> {
  await using cluster = await startCluster({ report: () => undefined });
  await cluster.installKeyferry();
  await using api = await BareClient.ofApi(cluster);
  await using watch = await MigrationWatch.open(api);
  await work({ cluster, api, watch });
}

/** A tenant, and where its documents are in its mount. */
export interface Place extends AsyncDisposable {
  readonly tenant: Tenant;
  readonly folder: Folder;
}

/** `address` of the KV server as its backend sees it: of a proxy. */
export async function aPlace({ cluster }: Setting, address?: string): Promise<Place> {
  const tenant = await Tenant.create(cluster, address === undefined ? {} : { address });
  const client = await BareClient.ofKv(cluster, tenant.mount);
  return {
    tenant,
    folder: { client, mount: tenant.mount, folder: tenant.namespace },
    [Symbol.asyncDispose]: async () => client[Symbol.asyncDispose](),
  };
}
