/** Labels and annotations that Keyferry writes on Secrets of its users. Part of the API: never rename one. */

/** Prefix of all of them: what starts with it never travels. */
export const OWN_PREFIX = 'keyferry.io/';

/** Label of the backup of a Secret: of one that a migration moved, or of a value that it replaced. No migration reads it. */
export const BACKUP_LABEL = 'keyferry.io/backup';

/** Label of a Secret that is about to be removed: the run that claims it. A label, so that one request finds them all. */
export const CLAIM_LABEL = 'keyferry.io/removed-by';

/** Annotation of a projection (sourcePolicy Project): the backend and path of the original. */
export const PROJECTED_FROM_ANNOTATION = 'keyferry.io/projected-from';

/** Annotation of a backup: the labels and annotations that the Secret had, as JSON. */
export const BACKUP_METADATA_ANNOTATION = 'keyferry.io/backup-metadata';

/** Annotation of the kept copy of a Secret: when it expires, RFC 3339. Then it is removed. */
export const EXPIRES_ANNOTATION = 'keyferry.io/expires-at';

/** Annotation of the kept copy of a Secret: the name of the Secret, which can be longer than that of the copy tells. */
export const BACKUP_OF_ANNOTATION = 'keyferry.io/backup-of';

/**
 * Annotation of a Secret that Keyferry keeps in step: the version at the other side that its value was written from, in the
 * same write as the value. Its text is `<revision> <identity>`, and `<revision> <identity> <replaced>` if the write replaced
 * a state of the Secret: its resourceVersion. reflects.ts writes and reads it.
 */
export const REFLECTS_ANNOTATION = 'keyferry.io/reflects';
