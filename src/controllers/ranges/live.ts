import type { Range } from '#src/core/ranges.ts';
import { LiveMigrations } from '#src/engine/crossings.ts';
import { reportsOfRange } from '#src/journal/range-object.ts';
import type { ReportStore } from '#src/journal/reports.ts';

/** What the pod of a range has for itself: no other migration is in its process. */
export function liveHere(
  reports: ReportStore,
  range: Range,
): { readonly live: LiveMigrations; readonly reports: ReportStore } {
  return { live: new LiveMigrations(undefined), reports: reportsOfRange(reports, range) };
}
