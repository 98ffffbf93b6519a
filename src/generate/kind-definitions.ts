import type { z } from 'zod';
import { DEFAULT_BACKEND_ANNOTATION, type Kind } from '#src/api/group.ts';
import { clusterSecretBackendSchemaOf } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { secretBackendSchemaOf } from '#src/api/v1alpha1/secret-backend.ts';
import { SecretMigrationSchema } from '#src/api/v1alpha1/secret-migration.ts';
import { SecretMigrationReportSchema } from '#src/api/v1alpha1/secret-migration-report.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import type { PrinterColumn } from '#src/schema/printer-column.ts';

/** All that `crds/` and the API reference need to know of one kind. */
export interface KindDefinition {
  readonly kind: Kind;
  readonly schema: z.ZodType;
  readonly columns: readonly PrinterColumn[];
  /** Whether `/status` is written apart from the rest. */
  readonly hasStatus: boolean;
  /** Longest name of an object, when it must fit into something shorter than a name. */
  readonly maxNameLength?: number;
}

const ready = (field: string) => `.status.conditions[?(@.type=="Ready")].${field}`;

const READY: PrinterColumn = {
  name: 'Ready',
  type: 'string',
  jsonPath: ready('status'),
  description: 'Whether the object does what its spec asks.',
};
const STATUS: PrinterColumn = {
  name: 'Status',
  type: 'string',
  jsonPath: ready('reason'),
  description: 'Reason of the condition Ready.',
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
  description: 'Message of the condition Ready.',
  wide: true,
};

const TYPE: PrinterColumn = {
  name: 'Type',
  type: 'string',
  jsonPath: '.spec.type',
  description: 'Kind of store.',
};

const DEFAULT: PrinterColumn = {
  name: 'Default',
  type: 'string',
  jsonPath: `.metadata.annotations.${DEFAULT_BACKEND_ANNOTATION.replaceAll('.', String.raw`\.`)}`,
  description: 'Whether it asks to be the default backend.',
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
      description: 'Keys that are done, of all keys.',
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
      description: 'Keys for which the destination holds something else.',
    },
    { name: 'Mode', type: 'string', jsonPath: '.spec.mode', description: 'How long it goes on.', wide: true },
    {
      name: 'Source',
      type: 'string',
      jsonPath: '.status.backends.source',
      description: 'Backend that the values come from.',
      wide: true,
    },
    {
      name: 'Destination',
      type: 'string',
      jsonPath: '.status.backends.destination',
      description: 'Backend that the values go to.',
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
      description: 'SecretMigration that it belongs to.',
    },
    { name: 'Rows', type: 'integer', jsonPath: '.report.summary.total', description: 'Keys in this part.' },
    {
      name: 'Verified',
      type: 'integer',
      jsonPath: '.report.summary.verified',
      description: 'Keys that were read back and are equal.',
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
      description: 'Keys for which the destination holds something else.',
    },
    AGE,
  ],
};

/** Every kind of this version, in the order of the documentation, where these kinds of backend are known. */
export function kindDefinitionsOf(backends: readonly BackendKind[]): readonly KindDefinition[] {
  return [...backendDefinitions(backends), SECRET_MIGRATION, SECRET_MIGRATION_REPORT];
}

/** What `crds/` and the API reference are made of. */
export const KIND_DEFINITIONS = kindDefinitionsOf(BACKEND_KINDS);
