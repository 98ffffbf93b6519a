import type { V1Secret } from '@kubernetes/client-node';
import type { Stored } from '#src/kube/wire.ts';
import { expect } from 'vitest';
import { BACKUP_LABEL, PROJECTED_FROM_ANNOTATION } from '#src/backends/kubernetes/marks.ts';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { kvData, kvMetadata, kvNames, kvPut, pathOf } from '#test/support/queries.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend, filesIn, plantFiles, tokenFolderOf } from '#test/support/token-files.ts';
import { FIELD } from './documents.ts';
import type { Moment } from './kill-switch.ts';

export const DOCUMENTS = 60;
const NAMES: readonly string[] = Array.from(
  { length: DOCUMENTS },
  (_, index) => `doc-${String(index).padStart(3, '0')}`,
);

/** One way to move secrets, and what must hold of it once it is through. */
export interface Scenario {
  readonly name: string;
  /** How many changes of documents it takes; undefined: they cannot be told apart by their paths, or are no requests. */
  readonly steps: number | undefined;
  /** Without steps: the moments, in the order of lives. Default: any of the first requests of each, one for each document. */
  readonly moments?: (tenant: Tenant, random: (below: number) => number) => readonly Moment['at'][];
  /** In how many places one value may be at the same time. */
  readonly places: number;
  /** Creates the sources, and resolves with every value that must stay readable. */
  plant(tenant: Tenant): Promise<readonly string[]>;
  /** The migration `moving`. */
  migration(tenant: Tenant): Parameters<Tenant['apply']>[0];
  /** Throws where the end is not as it should be. */
  verify(tenant: Tenant): Promise<void>;
}

/** Value → in how many places it can be read: Secrets, files, and all versions in the tenant's folder. */
export async function whereabouts(tenant: Tenant): Promise<ReadonlyMap<string, number>> {
  const places = new Map<string, number>();
  const see = (value: string | undefined): void => {
    if (value !== undefined) places.set(value, (places.get(value) ?? 0) + 1);
  };
  for (const { data } of await tenant.secrets()) {
    const encoded = data?.[FIELD];
    see(encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString());
  }
  for (const content of Object.values(filesIn(tokenFolderOf(tenant.cluster, tenant.namespace)))) see(content);
  const names = await kvNames(tenant, tenant.namespace);
  const stored = await Promise.all(names.map(async (name) => valuesAt(tenant, pathOf(tenant, name))));
  for (const value of stored.flat()) see(value);
  return places;
}

/** Of every version that is neither deleted nor expired. */
async function valuesAt(tenant: Tenant, path: string): Promise<readonly (string | undefined)[]> {
  const versions = Object.entries((await kvMetadata(tenant, path))?.versions ?? {});
  const readable = versions.filter(
    ([, { deletion_time: end }]) => end === '' || Date.parse(end) > Date.now(),
  );
  return await Promise.all(
    readable.map(async ([version]) => (await kvData(tenant, path, Number(version)))[FIELD]),
  );
}

function valueOf(name: string): string {
  return `value of ${name}`;
}

async function plantSecrets(tenant: Tenant): Promise<readonly string[]> {
  await Promise.all(NAMES.map(async (name) => tenant.apply(aSecret(name, { [FIELD]: valueOf(name) }))));
  return NAMES.map(valueOf);
}

async function plantPaths(tenant: Tenant, prefix = ''): Promise<readonly string[]> {
  for (const name of NAMES)
    await kvPut(tenant, pathOf(tenant, `${prefix}${name}`), { [FIELD]: valueOf(name) });
  return NAMES.map(valueOf);
}

/** Each with an hour to live and a note. */
async function plantTokens(tenant: Tenant): Promise<readonly string[]> {
  const metadata = { delete_version_after: LIFETIME, custom_metadata: NOTES };
  for (const name of NAMES)
    await tenant.cluster.bao('POST', `${tenant.mount}/metadata/${pathOf(tenant, name)}`, metadata);
  return await plantPaths(tenant);
}

/** The destination holds each value, as the version of this number. */
async function expectStored(tenant: Tenant, version: number, prefix = ''): Promise<void> {
  for (const name of NAMES) {
    const path = pathOf(tenant, `${prefix}${name}`);
    expect((await kvMetadata(tenant, path))?.current_version, path).toBe(version);
    expect(await kvData(tenant, path), path).toEqual({ [FIELD]: valueOf(name) });
  }
}

async function annotationsOf(tenant: Tenant, name: string): Promise<Readonly<Record<string, string>>> {
  const path = `/api/v1/namespaces/${tenant.namespace}/secrets/${name}`;
  const secret = await tenant.cluster.kube<Stored<V1Secret>>('GET', path);
  return secret.metadata.annotations ?? {};
}

const LIFETIME = '1h0m0s';
const NOTES = { owner: 'ann' };

/** Each is written once and removed once, or marked. */
const TWICE = 2 * DOCUMENTS;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 're-key',
    steps: TWICE,
    places: 2,
    plant: async (tenant) => plantPaths(tenant),
    migration: () => {
      const prefixes = [{ from: 'doc-', to: 'new-', stripPrefix: false }];
      const mapping = { path: '{namespace}/{name}', prefixes };
      const select = { prefix: 'doc-' };
      return aMigration('moving', { from: 'bao', to: 'bao', select, mapping, sourcePolicy: 'Delete' });
    },
    verify: async (tenant) => {
      await expectStored(tenant, 1, 'new-');
      const places = await whereabouts(tenant);
      expect([...places.values()].filter((count) => count !== 1)).toEqual([]);
    },
  },
  {
    name: 'composite-keys',
    // Its metadata, the document, its metadata again, the removal; after a kill some of these are the same request.
    steps: 3 * DOCUMENTS,
    places: 2,
    plant: plantTokens,
    migration: () => {
      const patterns = [{ from: 'doc-{id}', to: 'okta:doc-{id}' }];
      const mapping = { path: '{namespace}/{name}', patterns };
      const select = { prefix: 'doc-' };
      return aMigration('moving', { from: 'bao', to: 'bao', select, mapping, sourcePolicy: 'Delete' });
    },
    verify: async (tenant) => {
      await expectStored(tenant, 1, 'okta:');
      for (const name of NAMES) {
        const metadata = await kvMetadata(tenant, pathOf(tenant, `okta:${name}`));
        expect(metadata, name).toMatchObject({ delete_version_after: LIFETIME });
        expect(metadata?.custom_metadata, name).toEqual(NOTES);
        expect(metadata?.versions['1']?.deletion_time, name).not.toBe('');
      }
      const places = await whereabouts(tenant);
      expect([...places.values()].filter((count) => count !== 1)).toEqual([]);
    },
  },
  {
    name: 'overwrite',
    steps: DOCUMENTS,
    places: 2,
    plant: async (tenant) => {
      const prior = NAMES.map((name) => `prior ${name}`);
      for (const name of NAMES) await kvPut(tenant, pathOf(tenant, name), { [FIELD]: `prior ${name}` });
      return [...(await plantSecrets(tenant)), ...prior];
    },
    migration: () => aMigration('moving', { conflictPolicy: 'Overwrite' }),
    verify: async (tenant) => {
      await expectStored(tenant, 2);
      const rows = await tenant.rows('moving');
      expect(rows.map(({ destination }) => destination?.priorVersion)).toEqual(NAMES.map(() => '1'));
    },
  },
  {
    name: 'backup',
    steps: TWICE,
    places: 3,
    plant: plantSecrets,
    migration: () => aMigration('moving', { sourcePolicy: 'Backup' }),
    verify: async (tenant) => {
      await expectStored(tenant, 1);
      const backups = (await tenant.secrets()).filter(({ metadata }) => metadata.labels?.[BACKUP_LABEL]);
      expect(backups.map(({ metadata }) => metadata.name).toSorted()).toEqual(
        NAMES.map((name) => `${name}.migrated-bak`),
      );
      for (const name of NAMES) expect(await tenant.secret(name), name).toBeUndefined();
    },
  },
  {
    name: 'project',
    steps: TWICE,
    places: 2,
    plant: plantSecrets,
    migration: () => aMigration('moving', { sourcePolicy: 'Project' }),
    verify: async (tenant) => {
      await expectStored(tenant, 1);
      for (const name of NAMES) {
        expect(await annotationsOf(tenant, name)).toHaveProperty([PROJECTED_FROM_ANNOTATION]);
      }
    },
  },
  {
    name: 'token-files',
    steps: undefined,
    moments: (tenant, random) => {
      const folder = tokenFolderOf(tenant.cluster, tenant.namespace);
      const whileWriting = Array.from({ length: 2 }, () => ({ request: 1 + random(DOCUMENTS) }));
      const counts = Array.from({ length: 3 }, () => 1 + random(DOCUMENTS - 20)).toSorted((a, b) => a - b);
      const whileRetiring = counts.map((count) => ({
        once: `${count} files are backups`,
        holds: () => Object.keys(filesIn(folder)).filter((name) => name.startsWith('.')).length >= count,
      }));
      return [...whileWriting, ...whileRetiring];
    },
    // Its file, the backup under two names while it is made, and OpenBao.
    places: 4,
    plant: async (tenant) => {
      const folder = tokenFolderOf(tenant.cluster, tenant.namespace);
      plantFiles(folder, Object.fromEntries(NAMES.map((name) => [name, valueOf(name)])));
      await tenant.apply(aDirectoryBackend({ trailingNewline: 'Keep' }));
      return NAMES.map(valueOf);
    },
    migration: () => aMigration('moving', { from: 'files', select: { all: true }, sourcePolicy: 'Backup' }),
    verify: async (tenant) => {
      for (const name of NAMES) {
        expect((await kvMetadata(tenant, pathOf(tenant, name)))?.current_version, name).toBe(1);
        expect(await kvData(tenant, pathOf(tenant, name)), name).toEqual({ value: valueOf(name) });
      }
      expect(filesIn(tokenFolderOf(tenant.cluster, tenant.namespace))).toEqual(
        Object.fromEntries(NAMES.map((name) => [`.${name}.migrated.bak`, valueOf(name)])),
      );
    },
  },
  {
    name: 'fallback',
    steps: undefined,
    places: 2,
    plant: async (tenant) => plantPaths(tenant, 'old_'),
    migration: (tenant) => {
      const migration = aMigration('moving', {
        from: 'bao',
        to: 'kubernetes',
        select: { names: [...NAMES] },
      });
      const fallback = { prefix: `${tenant.namespace}/old_`, untilTime: '2100-01-01T00:00:00Z' };
      return { ...migration, spec: { ...migration.spec, source: { ...migration.spec.source, fallback } } };
    },
    verify: async (tenant) => {
      await expectStored(tenant, 1, 'old_');
      const places = await whereabouts(tenant);
      expect([...places.values()].filter((count) => count === 2)).toHaveLength(DOCUMENTS);
    },
  },
];
