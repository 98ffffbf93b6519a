import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { aSecret, type aMigration } from '#test/builders/objects.ts';
import { collect } from '#test/support/collect.ts';
import { kvData, kvMetadata } from '#test/support/queries.ts';
import type { Tenant } from '#test/support/tenant.ts';

/** Of the polls of a KV store. */
export const INTERVAL_SECONDS = 5;

/** One document, and what its value says: the number of the change. */
export interface Place {
  readonly tenant: Tenant;
  readonly name: string;
}

/** The two ways of a value. */
export interface Way {
  readonly title: string;
  /** Of the migrations. */
  readonly spec: Parameters<typeof aMigration>[1];
  readonly write: (place: Place, number: number) => Promise<void>;
  /** What a client without rules does: resolves when the other side has the value. */
  readonly bare: (place: Place, number: number) => Promise<void>;
  /** Starts to note what arrives; the numbers and times are complete when the function that it resolves with was called. */
  readonly observe: (places: readonly Place[]) => Promise<() => Promise<Arrivals>>;
}

/** When the value with this number was there, by place. */
export type Arrivals = ReadonlyMap<Place, readonly { readonly number: number; readonly at: number }[]>;

const MERGE_PATCH = { 'content-type': 'application/merge-patch+json' };

export function secretPath({ tenant, name }: Place): string {
  return `/api/v1/namespaces/${tenant.namespace}/secrets/${name}`;
}

async function writeSecret(place: Place, number: number): Promise<void> {
  const patch = { stringData: fieldsOf(number) };
  await place.tenant.cluster.kube('PATCH', secretPath(place), patch, MERGE_PATCH);
}

export async function writePath({ name, tenant }: Place, number: number): Promise<void> {
  const data = fieldsOf(number);
  await tenant.cluster.bao('POST', `${tenant.mount}/data/${tenant.namespace}/${name}`, { data });
}

async function readSecret(place: Place): Promise<void> {
  await place.tenant.cluster.kube('GET', secretPath(place));
}

async function readPath({ name, tenant }: Place): Promise<void> {
  await kvData(tenant, `${tenant.namespace}/${name}`);
}

export function fieldsOf(number: number): Record<string, string> {
  return { number: String(number), password: `${number}-`.padEnd(64, 'p') };
}

export const secrets: Way = {
  title: 'Secrets → KV',
  spec: { mode: 'Sync', sync: { intervalSeconds: 3600 } },
  write: writeSecret,
  bare: async (place, number) => {
    await readSecret(place);
    await writePath(place, number);
    await readPath(place);
  },
  // The server keeps the time of each version: nothing has to look at it while it is measured.
  observe: async (places) =>
    Promise.resolve(async () => {
      const found = await collect(
        mapConcurrently(places, 16, async (place) => [place, await versionsOf(place)] as const),
      );
      return new Map(found);
    }),
};

async function versionsOf({ name, tenant }: Place): Promise<readonly { number: number; at: number }[]> {
  const path = `${tenant.namespace}/${name}`;
  const versions = Object.entries((await kvMetadata(tenant, path))?.versions ?? {});
  return collect(
    mapConcurrently(versions, 1, async ([version, { created_time: created }]) => {
      const { number } = await kvData(tenant, path, Number(version));
      return { number: Number(number), at: Date.parse(created) };
    }),
  );
}

export const paths: Way = {
  title: `KV → Secrets, interval ${INTERVAL_SECONDS} s`,
  spec: {
    from: 'bao',
    to: 'kubernetes',
    select: { all: true },
    mode: 'Sync',
    sync: { intervalSeconds: INTERVAL_SECONDS },
  },
  write: writePath,
  bare: async (place, number) => {
    await readPath(place);
    await place.tenant.apply(aSecret(place.name, fieldsOf(number)));
    await readSecret(place);
  },
  observe: async (places) => {
    const tenants = [...new Set(places.map(({ tenant }) => tenant))];
    const seen = new Map(places.map((place) => [place, [] as { number: number; at: number }[]]));
    const byName = new Map(places.map((place) => [secretPath(place), place]));
    const look = async (): Promise<void> => {
      for (const tenant of tenants) {
        const all = await tenant.secrets();
        const at = Date.now();
        for (const { data, metadata } of all) {
          const place = byName.get(secretPath({ tenant, name: metadata.name }));
          const number = Number(Buffer.from(data?.['number'] ?? '', 'base64').toString());
          const list = place && seen.get(place);
          if (list !== undefined && list.at(-1)?.number !== number) list.push({ number, at });
        }
      }
    };
    await look();
    const timer = setInterval(() => void look(), 500);
    return async () => {
      clearInterval(timer);
      await look();
      return seen;
    };
  },
};
