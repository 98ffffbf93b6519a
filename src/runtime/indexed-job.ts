/**
 * The part of a Job whose pods each have a number. A pod is replaced when it has ended, and one that is evicted does not count as a
 * failure: it says nothing about its work.
 */
export const INDEXED = {
  completionMode: 'Indexed',
  podReplacementPolicy: 'Failed',
  podFailurePolicy: { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }] },
} as const;
