import type { PriorRecord } from '#src/core/outcome.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';

/** The records with proofs of another store than the destination is now: each proof counts from now. */
export function provenOnlyNow(
  records: ReadonlyMap<string, PriorRecord>,
  nowMs: number,
): ReadonlyMap<string, PriorRecord> {
  const since = Date.parse(toKubernetesTime(nowMs));
  return new Map(
    [...records].map(([name, record]) => [name, record.state === 'Verified' ? { ...record, since } : record]),
  );
}
