import type { EvidenceOutcome } from './evidence.ts';

/** What a reader sees for each outcome. */
export const OUTCOME_LABELS: Readonly<Record<EvidenceOutcome | 'excluded', string>> = {
  migrated: 'Migrated',
  adopted: 'Adopted',
  migratedOrAdopted: 'Migrated or adopted',
  skipped: 'Skipped',
  excluded: 'Excluded',
  held: 'Held',
  failed: 'Failed',
  pending: 'Pending',
};

/** One sentence for each. */
export const OUTCOME_MEANINGS: Readonly<Record<EvidenceOutcome | 'excluded', string>> = {
  migrated: 'Written to the destination by this migration, read back and equal byte for byte.',
  adopted: 'The destination had an equal document before; nothing was written.',
  migratedOrAdopted:
    'Equal at the destination, byte for byte; the row does not tell whether this migration wrote it or found it.',
  skipped: 'Left as it is on purpose; the reason of the row says why.',
  excluded: 'The source lists it, and the migration is not about it; it has no row.',
  held: 'Equal at the destination, and the source stays although spec.sourcePolicy would remove it.',
  failed: 'Not moved, or in conflict; nothing was overwritten.',
  pending: 'Not done yet.',
};
