/** Labels and annotations that Keyferry writes on Secrets of its users. Part of the API: never rename one. */

/** Label of the backup of a Secret that a migration moved. No migration reads it. */
export const BACKUP_LABEL = 'keyferry.io/backup';

/** Label of a Secret that is about to be removed: the run that claims it. A label, so that one request finds them all. */
export const CLAIM_LABEL = 'keyferry.io/removed-by';

/** Annotation of a projection (sourcePolicy Project): the backend and path of the original. */
export const PROJECTED_FROM_ANNOTATION = 'keyferry.io/projected-from';
