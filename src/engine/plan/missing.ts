/** The reason and message for a document that the user selected by name. */
export const SOURCE_MISSING = {
  reason: 'SourceMissing',
  message: 'The source does not exist. Create it, or correct spec.select.',
} as const;
