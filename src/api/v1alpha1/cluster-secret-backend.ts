import { z } from 'zod';
import type { BackendKind } from '#src/backends/kind.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { composeBackendSpec } from '#src/backends/spec.ts';
import { ClusterObjectMetaSchema } from '#src/schema/meta.ts';
import { parseObserved, type Observed, type Parsed } from '#src/schema/parse.ts';
import { withRules } from '#src/schema/rules.ts';
import { API_VERSION, DEFAULT_BACKEND_ANNOTATION } from '../group.ts';
import { BackendStatusSchema, type SecretBackend } from './secret-backend.ts';

/** Every namespace, in `allowedNamespaces`. */
export const ALL_NAMESPACES = '*';

const AllowedNamespacesSchema = z
  .array(
    z
      .string()
      .min(1)
      .max(63)
      .regex(/^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$/, { error: 'must be a namespace name or "*"' })
      .describe('Name of a namespace, or "*" for all of them.'),
  )
  .max(1024)
  .meta({ 'x-kubernetes-list-type': 'set' })
  .default([])
  .describe(
    'Namespaces whose migrations may use this backend. Each namespace sees only its own part: its own Secrets, or the folder with its name. Default: none.',
  );

/** The schema of a ClusterSecretBackend of any of these kinds. */
export function clusterSecretBackendSchemaOf(kinds: readonly BackendKind[]) {
  const { members, rules } = composeBackendSpec(kinds);
  return z
    .object({
      apiVersion: z.literal(API_VERSION),
      kind: z.literal('ClusterSecretBackend'),
      metadata: ClusterObjectMetaSchema,
      spec: withRules(
        z.object({ ...members, allowedNamespaces: AllowedNamespacesSchema }),
        ...rules,
      ).describe(
        'Where the values are, how to reach them, and which namespaces may use them. Secrets and ServiceAccounts that the spec refers to are in the namespace that --cluster-resource-namespace names.',
      ),
      status: BackendStatusSchema.prefault({ observedGeneration: -1 }),
    })
    .describe(
      `A SecretBackend that an administrator shares among namespaces. With the annotation ${DEFAULT_BACKEND_ANNOTATION}: "true", migrations that name no backend use it.`,
    );
}

export const ClusterSecretBackendSchema = clusterSecretBackendSchemaOf(BACKEND_KINDS);
export type ClusterSecretBackend = z.infer<typeof ClusterSecretBackendSchema> & Observed;

/** Either kind of backend. */
export type Backend = SecretBackend | ClusterSecretBackend;

/** As `parseSecretBackend`. */
export function parseClusterSecretBackend(input: unknown): Parsed<ClusterSecretBackend> {
  return parseObserved(ClusterSecretBackendSchema, input);
}

/** Whether its annotation requests it. If several backends do, the operator decides which one is the default. */
export function asksToBeDefault({ metadata }: Backend): boolean {
  return metadata.annotations?.[DEFAULT_BACKEND_ANNOTATION] === 'true';
}
