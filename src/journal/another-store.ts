import type { PriorRecord } from '#src/core/outcome.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';

/** A record whose proof is of another store than the destination is now: the proof counts from now. */
export function provenOnlyNow(record: PriorRecord, nowMs: number): PriorRecord {
  return record.state === 'Verified' ? { ...record, since: Date.parse(toKubernetesTime(nowMs)) } : record;
}
