import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { V1OwnerReference } from '@kubernetes/client-node';
import { API_VERSION, MIGRATION_LABEL, MIGRATION_UID_LABEL } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import {
  MAX_REPORT_BYTES,
  parseReportMetadata,
  parseSecretMigrationReport,
  type Report,
  type SecretMigrationReport,
  type StoredReport,
} from '#src/api/v1alpha1/secret-migration-report.ts';
import { COUNTED, countOutcomes, type Counts } from '#src/core/outcome.ts';

/** A report to create; a stored one also has the uid and resourceVersion that were read. */
export interface ReportObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences: readonly V1OwnerReference[];
  };
  readonly report: Omit<Report, 'range'> & { readonly range?: object };
}

export interface StoredReportObject extends ReportObject {
  readonly metadata: ReportObject['metadata'] & { readonly uid: string; readonly resourceVersion: string };
}

/** DNS-1123 subdomain. */
export const MAX_OBJECT_NAME = 253;
const MAX_LABEL_VALUE = 63;
/** The number of the last shard has four digits, after a hyphen. */
const SHARD_ROOM = 5;
const DIGEST_LENGTH = 8;

type Owner = SecretMigration['metadata'];

/** `<migration>-<shard>`. A name that is too long for that is cut, with a digest of the name of the migration. */
export function reportName({ name }: Pick<Owner, 'name'>, shard: number): string {
  return `${shortName(name, MAX_OBJECT_NAME - SHARD_ROOM)}-${shard}`;
}

/** The labels of the reports of a migration. The uid tells it from an earlier one of its name. */
export function reportLabels({ name, uid }: Pick<Owner, 'name' | 'uid'>): Readonly<Record<string, string>> {
  return { [MIGRATION_LABEL]: shortName(name, MAX_LABEL_VALUE), [MIGRATION_UID_LABEL]: uid };
}

/** Selects the reports of a migration, as a text. */
export function reportSelector(owner: Parameters<typeof reportLabels>[0]): string {
  return Object.entries(reportLabels(owner))
    .map(([label, value]) => `${label}=${value}`)
    .join(',');
}

export function shortName(name: string, max: number): string {
  if (name.length <= max) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, DIGEST_LENGTH);
  return `${name.slice(0, max - DIGEST_LENGTH - 1).replace(/[-.]+$/, '')}-${digest}`;
}

type Owned = Pick<SecretMigrationReport, 'metadata'>;

/** The controller of a report, if it has one. */
export function controllerOf({ metadata }: Owned) {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** True if the migration is the controller of the report, by uid. */
export function isOwned(report: Owned, { metadata }: { readonly metadata: Pick<Owner, 'uid'> }): boolean {
  const owner = controllerOf(report);
  return owner?.kind === 'SecretMigration' && owner.uid === metadata.uid;
}

function summaryOf(rows: readonly StatusRow[]): Counts {
  return countOutcomes(rows);
}

/**
 * False if rows were added to or taken out of the report by hand: every report counts its rows. An older version has fewer
 * counts, and a newer one counts rows elsewhere whose state this version does not know.
 */
export function isBalanced({ rows, summary }: Pick<StoredReport['report'], 'rows' | 'summary'>): boolean {
  const all = summaryOf(rows);
  const known = summaryOf(rows.filter(({ reason }) => reason !== 'UnknownState'));
  return COUNTED.every((state) => {
    const count = summary[state];
    if (state === 'total') return count === undefined || count === all.total;
    return count === undefined || (count >= known[state] && count <= all[state]);
  });
}

/** No report of ours is as large; a changed row can exceed the limit for a moment. */
const MAX_READ_BYTES = 2 * MAX_REPORT_BYTES;

/** The content of a report that was read as this shard; undefined if it is not what we write there. */
export function contentOf(
  object: unknown,
  { metadata }: SecretMigration,
  shard: number,
): StoredReport['report'] | undefined {
  const parsed = parseSecretMigrationReport(object);
  if (!parsed.ok) return undefined;
  const { report } = parsed.value;
  if (report.shard !== shard || report.migration !== metadata.name) return undefined;
  return Buffer.byteLength(JSON.stringify(report.rows)) <= MAX_READ_BYTES ? report : undefined;
}

/** The same of an object that may not be a report of the migration at all. */
export function ownContentOf(
  object: unknown,
  migration: SecretMigration,
  shard: number,
): StoredReport['report'] | undefined {
  const owned = parseReportMetadata(object);
  return owned.ok && isOwned(owned.value, migration) ? contentOf(object, migration, shard) : undefined;
}

/** The report of a shard, to create it. */
export function reportOf(
  migration: Pick<SecretMigration, 'metadata'>,
  shard: number,
  rows: readonly StatusRow[],
): ReportObject {
  const { name, namespace, uid } = migration.metadata;
  const owner = { apiVersion: API_VERSION, kind: 'SecretMigration', name, uid };
  return {
    apiVersion: API_VERSION,
    kind: 'SecretMigrationReport',
    metadata: {
      name: reportName(migration.metadata, shard),
      namespace,
      labels: reportLabels(migration.metadata),
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: false }],
    },
    report: { migration: name, shard, rows: [...rows], summary: summaryOf(rows) },
  };
}

const record = z.record(z.string(), z.unknown()).catch({});
const OwnerSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
});
const ForeignSchema = z.object({
  metadata: z.object({
    labels: z.record(z.string(), z.string()).catch({}),
    annotations: z.record(z.string(), z.string()).optional().catch(undefined),
    finalizers: z.array(z.string()).optional().catch(undefined),
    ownerReferences: z.array(OwnerSchema).catch([]),
  }),
  report: record,
});

/** What a stored report has besides what this version writes: metadata of others, and fields of a newer version. */
export type ForeignParts = z.infer<typeof ForeignSchema>;

const NOTHING_FOREIGN: ForeignParts = { metadata: { labels: {}, ownerReferences: [] }, report: {} };

/** The parts of a stored report of this migration that a replacement must have again. */
export function foreignPartsOf(object: unknown, { metadata: owner }: SecretMigration): ForeignParts {
  const parsed = ForeignSchema.safeParse(object);
  if (!parsed.success) return NOTHING_FOREIGN;
  const { metadata, report } = parsed.data;
  const { migration: _migration, shard: _shard, rows: _rows, summary: _summary, ...others } = report;
  const ownerReferences = metadata.ownerReferences.filter(({ uid }) => uid !== owner.uid);
  return { metadata: { ...metadata, ownerReferences }, report: others };
}

/** The report with these parts: a PUT removes what it does not have. */
export function withForeignParts(object: ReportObject, { metadata, report }: ForeignParts): ReportObject {
  return {
    ...object,
    metadata: {
      ...metadata,
      ...object.metadata,
      labels: { ...metadata.labels, ...object.metadata.labels },
      ownerReferences: [...object.metadata.ownerReferences, ...metadata.ownerReferences],
    },
    report: { ...report, ...object.report },
  };
}
