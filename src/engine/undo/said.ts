import type { Left } from './task.ts';

/** What a row says of a document of which nothing is left to take back. */
export const TAKEN_BACK = {
  nothing: 'The migration had changed nothing of this document.',
  stayed: 'The source has the value. The destination had it before the migration too, so it stays.',
  gone: 'The source has the value, and the copy is gone.',
  removed: 'The source has the value, and the copy was removed.',
  rolledBack: 'The source has the value, and the destination has its earlier one again.',
} as const;

export const SOURCE_GONE: Left = {
  reason: 'SourceGone',
  message: 'Another writer removed the source, so the copy at the destination stays.',
  retry: 'later',
};
export const SOURCE_LEAVING: Left = {
  reason: 'SourceLeaving',
  message:
    'The source is being deleted; a finalizer still holds it. Wait until it is gone, or remove the finalizer.',
  retry: 'later',
};
export const SOURCE_UNCERTAIN: Left = {
  reason: 'SourceUnfinished',
  message:
    'A write of the source was cut off, so its bytes are not certain, and the copy stays. Run the migration that wrote it again.',
  retry: 'later',
};
export const SOURCE_CHANGED: Left = {
  reason: 'SourceChanged',
  message:
    'The source has another value than the copy, which stays because nothing else has its value. Make both equal, or remove the copy by hand.',
  retry: 'later',
};
export const SOURCE_TAKEN: Left = {
  reason: 'SourceTaken',
  message:
    'Another document has the name of the removed source, and is not overwritten. The copy stays. Rename or remove that document.',
  retry: 'later',
};
export const SOURCE_REPLACED: Left = {
  reason: 'SourceTaken',
  message:
    'Another version was written at the source after it was removed, and deleted. Nothing is written over it. Create the source by hand.',
};
export const SOURCE_EXPIRED: Left = {
  reason: 'Expired',
  message: 'The source expired after it was removed, so it does not come back.',
};
export const NO_WAY_BACK: Left = {
  reason: 'NoWayBack',
  message:
    'What is at the destination cannot become the source again, as spec.mapping is. Create the source by hand; the copy stays.',
};
export const OTHER_TARGET: Left = {
  reason: 'NoWayBack',
  message: 'spec.mapping no longer gives the document this path, so it stays there. Remove it by hand.',
};
export const DESTINATION_LOST: Left = {
  reason: 'DestinationLost',
  message:
    'The source was removed, and neither the destination nor a backup has its value. Restore it from a snapshot of the server.',
};
export const DESTINATION_CHANGED: Left = {
  reason: 'DestinationChanged',
  message: 'Another writer changed the destination since the migration wrote it, so it stays as it is.',
};
export const VALUE_CHANGED: Left = {
  reason: 'DestinationChanged',
  message:
    'The source was removed, and the destination has another value since. Create the source by hand from a backup of the server, or from the destination.',
};
export const DESTINATION_LEAVING: Left = {
  reason: 'DestinationLeaving',
  message:
    'The copy is deleted, but a finalizer still holds it. Wait for its owner, or remove the finalizer.',
  retry: 'later',
};
export const CREATOR_UNKNOWN: Left = {
  reason: 'CreatorUnknown',
  message:
    'It is not recorded that this migration created the copy, so the copy stays. Remove it by hand if nobody needs it.',
};
export const NO_VERSIONS: Left = {
  reason: 'CapabilityMissing',
  message:
    'The destination keeps no versions, so nothing tells whether another writer changed the copy: it stays. Remove it by hand if nobody needs it.',
};
export const NO_PROOF: Left = {
  reason: 'CapabilityMissing',
  message:
    'The source was removed, and the destination keeps no versions, so nothing tells whether it still has that value. Create the source by hand.',
};
export const PRIOR_LOST: Left = {
  reason: 'PriorVersionLost',
  message:
    'The destination no longer keeps the version from before the migration, so it stays as it is. Take the earlier value from a snapshot of the server.',
};
