import type { ObjectName } from '#src/kube/resource.ts';
import { readTable, type Table } from '../rows.ts';
import type { Seen } from '../secret-migrations.ts';
import type { Session } from '../session.ts';

/** Reads the whole table of a migration as it was seen. Throws as `OwnObjects`. */
export async function tableOf(
  { objects, signal }: Pick<Session, 'objects' | 'signal'>,
  { migration }: Seen,
): Promise<Table> {
  const reports = { get: async (report: ObjectName) => objects.find('SecretMigrationReport', report) };
  return readTable({ objects: () => reports }, migration, signal);
}
