import type { MigrationJournal } from '#src/journal/journal.ts';
import type { MigrationStatus } from './status.ts';

/**
 * Makes the reports durable. At no time does the status promise rows that are not stored: where reports lose rows, because
 * documents left the selection, it promises fewer first. Throws what the journal and the status throw.
 */
export async function storeReports(journal: MigrationJournal, status: MigrationStatus): Promise<void> {
  if (journal.promisesTooMuch) await status.storeProgress(journal);
  await journal.storeReports();
}
