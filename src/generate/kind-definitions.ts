import type { z } from 'zod';
import { DEFAULT_BACKEND_ANNOTATION, type Kind } from '#src/api/group.ts';
import { clusterSecretBackendSchemaOf } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { secretBackendSchemaOf } from '#src/api/v1alpha1/secret-backend.ts';
import { SecretMigrationSchema } from '#src/api/v1alpha1/secret-migration.ts';
import { SecretMigrationReportSchema } from '#src/api/v1alpha1/secret-migration-report.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import type { PrinterColumn } from '#src/schema/printer-column.ts';

/** What the generators of `crds/` and of the API reference need from one kind. */
export interface KindDefinition {
  readonly kind: Kind;
  readonly schema: z.ZodType;
  readonly columns: readonly PrinterColumn[];
  /** Whether the kind has the subresource `/status`. */
  readonly hasStatus: boolean;
  /** Maximum length of an object name, if it is shorter than the limit of Kubernetes. */
  readonly maxNameLength?: number;
}

const ready = (field: string) => `.status.conditions[?(@.type=="Ready")].${field}`;

const READY: PrinterColumn = {
  name: 'Ready',
  type: 'string',
  jsonPath: ready('status'),
  description: 'Whether the object matches its spec.',
};
const STATUS: PrinterColumn = {
  name: 'Status',
  type: 'string',
  jsonPath: ready('reason'),
  description: 'Reason of the Ready condition.',
};
const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since the object was created.',
};
const MESSAGE: PrinterColumn = {
  name: 'Message',
  type: 'string',
  jsonPath: ready('message'),
  description: 'Message of the Ready condition.',
  wide: true,
};

const TYPE: PrinterColumn = {
  name: 'Type',
  type: 'string',
  jsonPath: '.spec.type',
  description: 'Type of backend.',
};

const DEFAULT: PrinterColumn = {
  name: 'Default',
  type: 'string',
  jsonPath: `.metadata.annotations.${DEFAULT_BACKEND_ANNOTATION.replaceAll('.', String.raw`\.`)}`,
  description: 'Whether the backend requests to be the default.',
};
const SERVER: PrinterColumn = {
  name: 'Server',
  type: 'string',
  jsonPath: '.status.server.version',
  description: 'Version of the server.',
  wide: true,
};

function backendDefinitions(kinds: readonly BackendKind[]): readonly KindDefinition[] {
  const details = [...kinds.flatMap(({ columns }) => columns), SERVER, MESSAGE];
  return [
    {
      kind: 'SecretBackend',
      schema: secretBackendSchemaOf(kinds),
      hasStatus: true,
      columns: [READY, STATUS, TYPE, ...details, AGE],
    },
    {
      kind: 'ClusterSecretBackend',
      schema: clusterSecretBackendSchemaOf(kinds),
      hasStatus: true,
      columns: [READY, STATUS, TYPE, DEFAULT, ...details, AGE],
    },
  ];
}

const SECRET_MIGRATION: KindDefinition = {
  kind: 'SecretMigration',
  schema: SecretMigrationSchema,
  hasStatus: true,
  // The name is the value of the label keyferry.io/migration on its reports.
  maxNameLength: 63,
  columns: [
    READY,
    STATUS,
    {
      name: 'Progress',
      type: 'string',
      jsonPath: '.status.progress',
      description: 'Completed keys of all keys.',
    },
    {
      name: 'Failed',
      type: 'integer',
      jsonPath: '.status.summary.failed',
      description: 'Keys that could not be moved.',
    },
    {
      name: 'Conflicts',
      type: 'integer',
      jsonPath: '.status.summary.conflict',
      description: 'Keys for which the destination differs.',
    },
    {
      name: 'Last Sync',
      type: 'date',
      jsonPath: '.status.lastSyncTime',
      description: 'Mode Sync: when a change was last carried to the other side.',
      wide: true,
    },
    {
      name: 'Mode',
      type: 'string',
      jsonPath: '.spec.mode',
      description: 'Mode of the migration.',
      wide: true,
    },
    {
      name: 'Source',
      type: 'string',
      jsonPath: '.status.backends.source',
      description: 'Backend of the source.',
      wide: true,
    },
    {
      name: 'Destination',
      type: 'string',
      jsonPath: '.status.backends.destination',
      description: 'Backend of the destination.',
      wide: true,
    },
    MESSAGE,
    AGE,
  ],
};

const SECRET_MIGRATION_REPORT: KindDefinition = {
  kind: 'SecretMigrationReport',
  schema: SecretMigrationReportSchema,
  hasStatus: false,
  columns: [
    {
      name: 'Migration',
      type: 'string',
      jsonPath: '.report.migration',
      description: 'SecretMigration of this report.',
    },
    { name: 'Rows', type: 'integer', jsonPath: '.report.summary.total', description: 'Keys in this report.' },
    {
      name: 'Verified',
      type: 'integer',
      jsonPath: '.report.summary.verified',
      description: 'Keys that were read back and compared equal.',
    },
    {
      name: 'Failed',
      type: 'integer',
      jsonPath: '.report.summary.failed',
      description: 'Keys that could not be moved.',
    },
    {
      name: 'Conflicts',
      type: 'integer',
      jsonPath: '.report.summary.conflict',
      description: 'Keys for which the destination differs.',
    },
    AGE,
  ],
};

/** Every kind of this version, in the order of the documentation, with these kinds of backend. */
export function kindDefinitionsOf(backends: readonly BackendKind[]): readonly KindDefinition[] {
  return [...backendDefinitions(backends), SECRET_MIGRATION, SECRET_MIGRATION_REPORT];
}

/** The kinds in `crds/` and in the API reference. */
export const KIND_DEFINITIONS = kindDefinitionsOf(BACKEND_KINDS);
