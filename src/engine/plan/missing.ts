/** Of a document that was asked for by name. */
export const SOURCE_MISSING = {
  reason: 'SourceMissing',
  message: 'There is no such document at the source. Create it, or correct spec.select.',
} as const;
