import { z } from 'zod';
import { ROW_STATES } from '#src/api/v1alpha1/conditions.ts';
import type { Chain, Linked } from './chain.ts';

/*
 * An evidence report as JSON. It has names, versions, identities, times and counts: no value, no length or digest of one.
 * docs/evidence-report.md describes it.
 */

/** Names the format, for programs that read it. */
export const EVIDENCE_FORMAT = 'keyferry.io/evidence/v1';

/** What became of a document. */
export const OUTCOMES = [
  'migrated',
  'adopted',
  'migratedOrAdopted',
  'skipped',
  'held',
  'failed',
  'pending',
] as const;
export type EvidenceOutcome = (typeof OUTCOMES)[number];

const count = z.int().min(0);
const word = z.string().optional();
const version = { version: word, identity: word };

const RowSchema = z.object({
  name: z.string(),
  key: z.string(),
  state: z.enum(ROW_STATES),
  outcome: z.enum(OUTCOMES),
  reason: word,
  message: word,
  destination: z
    .object({ path: z.string(), key: word, ...version, priorVersion: word, created: z.boolean().optional() })
    .optional(),
  source: z.object({ path: word, ...version }).optional(),
  base: z
    .object({ source: z.object(version).optional(), destination: z.object(version).optional() })
    .optional(),
  rule: word,
  backup: word,
  lastTransitionTime: z.string(),
});
/** One key. As a row of the migration, with what became of its document. */
export type EvidenceRow = z.infer<typeof RowSchema>;

const BackendSchema = z.object({
  side: z.enum(['source', 'destination']),
  kind: z.string(),
  name: z.string(),
  uid: word,
  generation: z.int().optional(),
  type: word,
  /** Of the store, when the report was made, and the place that the spec named when it was recorded. */
  identity: word,
  place: word,
  server: z.object({ product: z.string(), version: z.string() }).optional(),
  /** Why nothing more is known of it. */
  unknown: word,
});
export type EvidenceBackend = z.infer<typeof BackendSchema>;

const WriterSchema = z.object({
  manager: z.string(),
  operation: z.string(),
  subresource: word,
  time: word,
  /** The parts of the object of which it owns fields. */
  parts: z.array(z.string()),
});
/** A program that wrote the object, as metadata.managedFields has it. */
export type EvidenceWriter = z.infer<typeof WriterSchema>;

const TotalsSchema = z.object({
  discovered: count,
  migrated: count,
  adopted: count,
  migratedOrAdopted: count,
  skipped: count,
  excluded: count,
  held: count,
  failed: count,
  pending: count,
  /** Mode Sync: how many more documents have rows than the last pass over the whole selection found. */
  sinceLastPass: z.int(),
});
/** Numbers of documents. */
export type EvidenceTotals = z.infer<typeof TotalsSchema>;

const HeaderSchema = z.object({
  format: z.literal(EVIDENCE_FORMAT),
  /** By the clock of the machine that made the report. */
  madeAt: z.string(),
  madeBy: z.object({ program: z.literal('keyferry'), version: z.string() }),
  migration: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    generation: z.int(),
    observedGeneration: z.int(),
    resourceVersion: z.string(),
    spec: z.unknown(),
  }),
  operator: z.object({ version: word }),
  writers: z.array(WriterSchema),
  approval: z.object({
    required: z.boolean(),
    approvedDigest: word,
    /** Of the plan that waits for approval. */
    planDigest: word,
    manager: word,
    time: word,
  }),
  backends: z.array(BackendSchema),
  /** Identity of the store of the destination and the folder in it, as the last run recorded it. */
  destinationStore: word,
  times: z.object({
    created: word,
    started: word,
    completed: word,
    lastSync: word,
    firstChange: word,
    lastChange: word,
  }),
  conditions: z.array(
    z.object({
      type: z.string(),
      status: z.string(),
      reason: z.string(),
      message: z.string(),
      lastTransitionTime: z.string(),
    }),
  ),
  totals: TotalsSchema,
  excluded: z.array(z.object({ reason: z.string(), meaning: z.string(), documents: count })),
  keys: z.object({ total: count, states: z.record(z.string(), count) }),
  balance: z.object({ isBalanced: z.boolean(), problems: z.array(z.string()) }),
  /** What the API server does not know. */
  notKnown: z.array(z.string()),
});
/** Everything in a report but its rows and their chain. */
export type EvidenceHeader = z.infer<typeof HeaderSchema>;

const ChainSchema = z.object({
  algorithm: z.literal('SHA-256'),
  start: z.string(),
  rows: count,
  head: z.string(),
});

export const EvidenceSchema = HeaderSchema.extend({
  rows: z.array(RowSchema.extend({ hash: z.string() })),
  chain: ChainSchema,
});

export interface Evidence extends EvidenceHeader {
  readonly rows: readonly Linked<EvidenceRow>[];
  readonly chain: Chain;
}
