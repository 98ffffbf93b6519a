import { z } from 'zod';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import {
  parseReportMetadata,
  RangeSchema,
  type RangeState,
  type SecretMigrationReport,
} from '#src/api/v1alpha1/secret-migration-report.ts';
import type { Range } from '#src/core/ranges.ts';
import type { ReportStore } from './reports.ts';
import {
  isOwned,
  MAX_OBJECT_NAME,
  reportOf,
  reportSelector,
  shortName,
  type ReportObject,
  type StoredReportObject,
} from './report-object.ts';

/*
 * With `spec.parallelism`, a range has a table of its own, and a report without rows that has its state: what the status of the
 * migration is to the whole table. A name of a report of another migration ends in a hyphen and digits, so none of these is one.
 */

type Name = Pick<SecretMigration['metadata'], 'name'>;

/** The report with the state of a range. */
export function rangeName({ name }: Name, index: number): string {
  return withSuffix(name, `-range${index}`);
}

/** The report of a shard in the table of a range; `report`: its name in a table that is whole. */
export function nameInRange(report: string, index: number): string {
  return withSuffix(report, `-p${index}`);
}

function withSuffix(name: string, suffix: string): string {
  return `${shortName(name, MAX_OBJECT_NAME - suffix.length)}${suffix}`;
}

/** The reports of a range, for a journal that knows of no ranges. */
export function reportsOfRange(store: ReportStore, { index }: Range): ReportStore {
  const renamed = <T extends ReportObject>(object: T): T => ({
    ...object,
    metadata: { ...object.metadata, name: nameInRange(object.metadata.name, index) },
  });
  return {
    get: async ({ name, namespace }, signal) =>
      store.get({ namespace, name: nameInRange(name, index) }, signal),
    create: async (report, signal) => store.create(renamed(report), signal),
    replace: async (report, signal) => store.replace(renamed(report), signal),
  };
}

/** A range before its first run. A table in reports never moves into the status. */
export function beginningOf({ metadata }: Pick<SecretMigration, 'metadata'>): RangeState['status'] {
  return { observedGeneration: -1, reports: { count: 0, rows: 0, labelSelector: reportSelector(metadata) } };
}

/** The state of a range as it is stored. */
export interface StoredRange extends Pick<RangeState, 'ended'> {
  /** As it is stored: `parseSecretMigration` reads it beside a spec. */
  readonly status: Readonly<Record<string, unknown>>;
  readonly metadata: Pick<SecretMigrationReport['metadata'], 'uid' | 'resourceVersion'>;
}

const StoredSchema = z.looseObject({
  report: z.looseObject({
    range: z.looseObject({
      index: RangeSchema.shape.index,
      pods: RangeSchema.shape.pods,
      ended: RangeSchema.shape.ended.catch(undefined),
      status: z.record(z.string(), z.unknown()),
    }),
  }),
});

/** Undefined for an object that is not this range of this migration, and for one that another writer changed beyond use. */
export function storedRange(
  object: unknown,
  migration: { readonly metadata: Pick<SecretMigration['metadata'], 'uid'> },
  range: Range,
): StoredRange | undefined {
  const owned = parseReportMetadata(object);
  const stored = StoredSchema.safeParse(object);
  if (!owned.ok || !isOwned(owned.value, migration) || !stored.success) return undefined;
  const { ended, index, pods, status } = stored.data.report.range;
  if (index !== range.index || pods !== range.count) return undefined;
  return { status, metadata: owned.value.metadata, ...(ended === undefined ? {} : { ended }) };
}

/** The report with the state of a range, to create it. */
export function rangeObject(
  migration: Pick<SecretMigration, 'metadata'>,
  { count, index }: Range,
  state: Pick<RangeState, 'ended'> & { readonly status: object },
): ReportObject {
  const whole = reportOf(migration, 0, []);
  return {
    ...whole,
    metadata: { ...whole.metadata, name: rangeName(migration.metadata, index) },
    report: { ...whole.report, range: { index, pods: count, ...state } },
  };
}

/** The same to replace the one that was read. */
export function replacing(
  object: ReportObject,
  { resourceVersion, uid }: StoredRange['metadata'],
): StoredReportObject {
  return { ...object, metadata: { ...object.metadata, uid, resourceVersion } };
}
