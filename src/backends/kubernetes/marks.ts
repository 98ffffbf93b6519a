/** Labels and annotations that Keyferry writes on Secrets of its users. Part of the API: never rename one. */

/** Label of the backup of a Secret that a migration moved. No migration reads it. */
export const BACKUP_LABEL = 'keyferry.io/backup';

/** Annotation of a projection (sourcePolicy Project): the backend and path of the original. */
export const PROJECTED_FROM_ANNOTATION = 'keyferry.io/projected-from';
