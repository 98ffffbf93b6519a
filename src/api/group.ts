/** Names that Keyferry uses in a cluster. They are part of the API: never rename one. */

export const GROUP = 'keyferry.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Category of all Keyferry kinds: `kubectl get keyferry`. */
export const CATEGORY = 'keyferry';

/** On a SecretMigrationReport: name of its SecretMigration. */
export const MIGRATION_LABEL = `${GROUP}/migration`;

/** On a SecretMigrationReport: uid of that SecretMigration, to tell it from an earlier one of the same name. */
export const MIGRATION_UID_LABEL = `${GROUP}/migration-uid`;

/**
 * An opaque token, usually the time; any change of it starts a run immediately, and on a backend a probe.
 * `status.lastHandledReconcileAt` echoes its first 256 characters, so that a script can wait for them.
 */
export const RECONCILE_REQUESTED_ANNOTATION = `${GROUP}/reconcile-requested-at`;

/** On a SecretMigration that the command line created for a moment, with what for: `plan`. */
export const TEMPORARY_LABEL = `${GROUP}/temporary`;

/** On a SecretMigration in mode Sync: which side wins a conflict, in which versions of both (v1alpha1/resolve.ts). */
export const RESOLVE_ANNOTATION = `${GROUP}/resolve`;

/** On a ClusterSecretBackend, with the value "true": migrations that name no backend use this one. */
export const DEFAULT_BACKEND_ANNOTATION = `${GROUP}/is-default-backend`;

/**
 * On a SecretBackend or ClusterSecretBackend whose server has another identity than before: the new identity, as the message
 * of Ready names it. It says that the store that answers now is the intended one.
 */
export const ACKNOWLEDGE_IDENTITY_ANNOTATION = `${GROUP}/acknowledge-identity`;

/** On a Deployment, StatefulSet or DaemonSet, with the value "true": it restarts when a Secret that it uses gets another value. */
export const RESTART_ON_CHANGE_ANNOTATION = `${GROUP}/restart-on-change`;

/** On its pod template: which Secrets it was restarted for, in which version. */
export const RESTARTED_FOR_ANNOTATION = `${GROUP}/restarted-for`;

/** Every kind, with the plural of its REST path. */
export const KINDS = {
  SecretBackend: { plural: 'secretbackends', shortName: 'sbe', namespaced: true },
  ClusterSecretBackend: { plural: 'clustersecretbackends', shortName: 'csbe', namespaced: false },
  SecretMigration: { plural: 'secretmigrations', shortName: 'smig', namespaced: true },
  SecretMigrationReport: { plural: 'secretmigrationreports', shortName: 'smigr', namespaced: true },
} as const;

export type Kind = keyof typeof KINDS;
