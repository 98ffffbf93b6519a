import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';
import { LEFT_OUT_REASONS } from '#src/api/v1alpha1/conditions.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { imbalancesOf, keysByState, totalsOf } from './balance.ts';
import { linked } from './chain.ts';
import {
  EVIDENCE_FORMAT,
  type Evidence,
  type EvidenceBackend,
  type EvidenceHeader,
  type EvidenceRow,
} from './evidence.ts';
import { evidenceRow } from './evidence-row.ts';
import type { Meaning } from './outcome.ts';
import { approvalOf, writersOf } from './writers.ts';

/** What the API server has of a migration. */
export interface Observed {
  readonly migration: SecretMigration;
  /** The same object as the server sent it. */
  readonly raw: object;
  readonly rows: readonly KeyRow[];
  readonly isComplete: boolean;
  readonly backends: readonly EvidenceBackend[];
}

/** When and by which version a report is made. */
export interface Making {
  /** RFC 3339. */
  readonly madeAt: string;
  readonly version: string;
}

/** What no field of the object tells. */
const NOT_KNOWN: readonly string[] = [
  'Which user or ServiceAccount created, changed or approved the migration: Kubernetes stores the program (field manager) and the time only. The audit log of the API server has the user; look there for the uid of the migration.',
  'Who read or wrote the values at either side besides Keyferry: the audit logs of OpenBao and of the API server have it.',
  'What earlier runs did and later runs replaced: a row has the last state of its key and the time when that state began.',
];

/** The report of what was observed, with its rows as a chain. Pure. */
export function evidenceOf(observed: Observed, making: Making): Evidence {
  const { migration } = observed;
  const meaning: Meaning = {
    sourcePolicy: migration.spec.sourcePolicy,
    createdMs: msOf(migration.metadata.creationTimestamp),
  };
  const rows = observed.rows.map((row) => evidenceRow(row, meaning));
  const header = headerOf(observed, rows, making);
  const { rows: links, chain } = linked(header, rows);
  return { ...header, rows: links, chain };
}

function headerOf(observed: Observed, rows: readonly EvidenceRow[], making: Making): EvidenceHeader {
  const { migration, raw, backends, isComplete } = observed;
  const { metadata, spec, status } = migration;
  const counted = { status, isSync: spec.mode === 'Sync', rows, isComplete };
  const totals = totalsOf(counted);
  const problems = imbalancesOf(counted, totals);
  const writers = writersOf(raw);
  const { name, namespace, uid, generation, resourceVersion } = metadata;
  const { destinationStore, observedGeneration } = status;
  return {
    format: EVIDENCE_FORMAT,
    madeAt: making.madeAt,
    madeBy: { program: 'keyferry', version: making.version },
    migration: {
      name,
      namespace,
      uid,
      generation,
      observedGeneration,
      resourceVersion,
      spec: 'spec' in raw ? raw.spec : {},
    },
    operator: status.operatorVersion === undefined ? {} : { version: status.operatorVersion },
    writers: [...writers],
    approval: approvalOf(migration, writers),
    backends: [...backends],
    ...(destinationStore === undefined ? {} : { destinationStore }),
    times: timesOf(migration, rows),
    conditions: (status.conditions ?? []).map(
      ({ type, status: is, reason, message, lastTransitionTime }) => ({
        type,
        status: is,
        reason,
        message,
        lastTransitionTime,
      }),
    ),
    totals,
    excluded: excludedOf(status.inventory),
    keys: { total: rows.length, states: keysByState(rows) },
    balance: { isBalanced: problems.length === 0, problems },
    notKnown: [...NOT_KNOWN],
  };
}

function excludedOf(inventory: SecretMigration['status']['inventory']): EvidenceHeader['excluded'] {
  const meanings = new Map(Object.entries(LEFT_OUT_REASONS));
  return (inventory?.leftOut ?? []).map(({ reason, documents }) => ({
    reason,
    meaning: meanings.get(reason) ?? '',
    documents,
  }));
}

function timesOf(
  { metadata, status }: SecretMigration,
  rows: readonly EvidenceRow[],
): EvidenceHeader['times'] {
  const changes = changeTimes(rows, msOf(metadata.creationTimestamp));
  const [first, last] = [changes.at(0), changes.at(-1)];
  const { startTime, completionTime, lastSyncTime } = status;
  const { creationTimestamp } = metadata;
  return {
    ...(creationTimestamp === undefined ? {} : { created: creationTimestamp }),
    ...(startTime === undefined ? {} : { started: startTime }),
    ...(completionTime === undefined ? {} : { completed: completionTime }),
    ...(lastSyncTime === undefined ? {} : { lastSync: lastSyncTime }),
    ...(first === undefined ? {} : { firstChange: toKubernetesTime(first) }),
    ...(last === undefined ? {} : { lastChange: toKubernetesTime(last) }),
  };
}

/** Sorted. A row of another version can be without a time: it says 1970 then. */
function changeTimes(rows: readonly EvidenceRow[], createdMs = 0): readonly number[] {
  const times = rows.map(({ lastTransitionTime }) => Date.parse(lastTransitionTime));
  return times.filter((time) => time >= createdMs).toSorted((left, right) => left - right);
}

function msOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}
