/** Names under which Keyferry is known in a cluster. They are part of the API: never rename one. */

export const GROUP = 'keyferry.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Category of all our kinds: `kubectl get keyferry`. */
export const CATEGORY = 'keyferry';

/** On a SecretMigrationReport: name of the SecretMigration that it belongs to. */
export const MIGRATION_LABEL = `${GROUP}/migration`;

/** On a SecretMigrationReport: uid of that SecretMigration, to tell it from an earlier one of the same name. */
export const MIGRATION_UID_LABEL = `${GROUP}/migration-uid`;

/**
 * Holds an opaque token, usually the time; any change of it starts a run at once. Its first 256 characters are echoed
 * in `status.lastHandledReconcileAt`, so that a script can wait for them.
 */
export const RECONCILE_REQUESTED_ANNOTATION = `${GROUP}/reconcile-requested-at`;

/** On a ClusterSecretBackend, with the value "true": a migration that names no backend uses this one. */
export const DEFAULT_BACKEND_ANNOTATION = `${GROUP}/is-default-backend`;

/** Every kind with the plural that its REST path uses. */
export const KINDS = {
  SecretBackend: { plural: 'secretbackends', shortName: 'sbe', namespaced: true },
  ClusterSecretBackend: { plural: 'clustersecretbackends', shortName: 'csbe', namespaced: false },
  SecretMigration: { plural: 'secretmigrations', shortName: 'smig', namespaced: true },
  SecretMigrationReport: { plural: 'secretmigrationreports', shortName: 'smigr', namespaced: true },
} as const;

export type Kind = keyof typeof KINDS;
