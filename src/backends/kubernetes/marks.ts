/** What Keyferry writes on Secrets of its users, in its API group. Part of the API: never rename one. */

/** Label: it is the backup of a Secret that a migration moved away. No migration reads it. */
export const BACKUP_LABEL = 'keyferry.io/backup';

/** Annotation: the backend and path whose projection it is since a migration with sourcePolicy Project. */
export const PROJECTED_FROM_ANNOTATION = 'keyferry.io/projected-from';
