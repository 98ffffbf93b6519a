import { z } from 'zod';
import { API_VERSION, CATEGORY, DEFAULT_BACKEND_ANNOTATION, GROUP, KINDS, VERSION } from '#src/api/group.ts';
import type { Kind } from '#src/api/group.ts';
import { toStructural } from './structural.ts';
import type { StructuralSchema } from './structural.ts';
import { ClusterSecretBackendSchema } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { SecretBackendSchema } from '#src/api/v1alpha1/secret-backend.ts';
import { SecretMigrationSchema } from '#src/api/v1alpha1/secret-migration.ts';
import { SecretMigrationReportSchema } from '#src/api/v1alpha1/secret-migration-report.ts';

/** One column of `kubectl get`; `wide` ones only with `-o wide`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  readonly wide?: true;
}

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

/** What is only of interest when something is wrong. */
const BACKEND_DETAILS: readonly PrinterColumn[] = [
  {
    name: 'Address',
    type: 'string',
    jsonPath: '.spec.openbao.address',
    description: 'Base URL of the server.',
    wide: true,
  },
  {
    name: 'Server',
    type: 'string',
    jsonPath: '.status.server.version',
    description: 'Version of the server.',
    wide: true,
  },
  MESSAGE,
];

const SECRET_BACKEND: KindDefinition = {
  kind: 'SecretBackend',
  schema: SecretBackendSchema,
  hasStatus: true,
  columns: [READY, STATUS, TYPE, ...BACKEND_DETAILS, AGE],
};

const CLUSTER_SECRET_BACKEND: KindDefinition = {
  kind: 'ClusterSecretBackend',
  schema: ClusterSecretBackendSchema,
  hasStatus: true,
  columns: [
    READY,
    STATUS,
    TYPE,
    {
      name: 'Default',
      type: 'string',
      jsonPath: `.metadata.annotations.${DEFAULT_BACKEND_ANNOTATION.replaceAll('.', String.raw`\.`)}`,
      description: 'Whether it asks to be the default backend.',
    },
    ...BACKEND_DETAILS,
    AGE,
  ],
};

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

/** Every kind of this version, in the order of the documentation. */
export const KIND_DEFINITIONS: readonly KindDefinition[] = [
  SECRET_BACKEND,
  CLUSTER_SECRET_BACKEND,
  SECRET_MIGRATION,
  SECRET_MIGRATION_REPORT,
];

const OWNED_BY_THE_APISERVER: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/** The structural schema of a whole object of this kind, with the parts that the apiserver owns left open. */
export function structuralSchemaOf(definition: KindDefinition): StructuralSchema {
  const json = z.toJSONSchema(definition.schema, { target: 'openapi-3.0', io: 'input' });
  const own = Object.fromEntries(
    Object.entries(json.properties ?? {}).filter(([field]) => !OWNED_BY_THE_APISERVER.has(field)),
  );
  const root = toStructural({ ...json, properties: own }, definition.kind);
  const name =
    definition.maxNameLength === undefined
      ? {}
      : { properties: { name: { type: 'string' as const, maxLength: definition.maxNameLength } } };
  return {
    ...root,
    required: (root.required ?? []).filter((field) => field in own),
    properties: {
      apiVersion: { type: 'string', description: `Always ${API_VERSION}.` },
      kind: { type: 'string', description: `Always ${definition.kind}.` },
      metadata: { type: 'object', ...name },
      ...root.properties,
    },
  };
}

/** The CustomResourceDefinition of this kind as `kubectl apply` takes it. */
export function crdOf(definition: KindDefinition) {
  const { kind, columns, hasStatus } = definition;
  const { plural, shortName, namespaced } = KINDS[kind];
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: [CATEGORY],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          ...(hasStatus ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: columns.map(({ wide, ...column }) =>
            wide === true ? { ...column, priority: 1 } : column,
          ),
          schema: { openAPIV3Schema: structuralSchemaOf(definition) },
        },
      ],
    },
  };
}
