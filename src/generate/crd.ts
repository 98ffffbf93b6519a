import { z } from 'zod';
import { API_VERSION, CATEGORY, GROUP, KINDS, VERSION } from '#src/api/group.ts';
import type { KindDefinition } from './kind-definitions.ts';
import { toStructural } from './structural.ts';
import type { StructuralSchema } from './structural.ts';

const OWNED_BY_THE_APISERVER: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/** The structural schema of a complete object of this kind, without the parts that the apiserver validates itself. */
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

/** The CustomResourceDefinition of this kind, as `kubectl apply` accepts it. */
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
