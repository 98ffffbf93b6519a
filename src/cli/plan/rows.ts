import type { StatusRow } from '#src/api/v1alpha1/status-row.ts';
import { StoredReports, type ReportStore } from '#src/journal/reports.ts';
import type { Logger } from '#src/ports.ts';
import type { Seen } from '../secret-migrations.ts';
import type { Session } from '../session.ts';

/** The rows of a SecretMigration, from its status or from its reports. */
export interface Table {
  readonly rows: readonly StatusRow[];
  /** False if reports are missing or were changed. */
  readonly isComplete: boolean;
}

/** Reads the whole table of a migration as it was seen. Throws as `OwnObjects`. */
export async function tableOf(
  session: Pick<Session, 'objects' | 'signal'>,
  { migration }: Seen,
): Promise<Table> {
  const { keys, keysTruncated, reports: promised } = migration.status;
  if (keysTruncated !== true) return { rows: keys ?? [], isComplete: true };
  const { objects, signal } = session;
  const reports = new StoredReports(migration, { reports: readOnly(objects), logger: SILENT, signal });
  await reports.load();
  const rows = [...reports.shards()].flatMap(([, shard]) => [...shard]);
  return { rows, isComplete: reports.damaged === 0 && rows.length >= (promised?.rows ?? 0) };
}

function readOnly(objects: Session['objects']): ReportStore {
  const refuse = async (): Promise<never> => Promise.reject(new Error('a command writes no report'));
  return {
    get: async (report) => objects.find('SecretMigrationReport', report),
    create: refuse,
    replace: refuse,
  };
}

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};
