import { z } from 'zod';
import type { BackendKind } from '#src/backends/kind.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { composeBackendSpec } from '#src/backends/spec.ts';
import { ConditionsSchema, GenerationSchema } from '#src/schema/meta.ts';
import { parseObserved, type Observed, type Parsed } from '#src/schema/parse.ts';
import { withRules } from '#src/schema/rules.ts';
import { typeMetaOf } from '../type-meta.ts';
import { MAX_RECONCILE_TOKEN } from './secret-migration.ts';

/** Maximum length of what a server says it is; a longer text is cut. */
export const MAX_SERVER_TEXT = 64;
/** Maximum length of the identity of a store; a longer one is cut. */
export const MAX_IDENTITY = 512;
/** Maximum length of the place that the spec names; a longer one is cut. */
export const MAX_PLACE = 1024;

export const BackendStatusSchema = z
  .object({
    observedGeneration: GenerationSchema.default(-1).describe(
      'The metadata.generation that this status describes; -1 before the first reconcile.',
    ),
    lastHandledReconcileAt: z
      .string()
      .max(MAX_RECONCILE_TOKEN)
      .optional()
      .describe('Last value of the annotation keyferry.io/reconcile-requested-at that a probe has answered.'),
    conditions: ConditionsSchema.optional().describe(
      'Ready, and Reconciling and Stalled while they are true.',
    ),
    capabilities: z
      .array(
        z
          .string()
          .max(64)
          .regex(/^[A-Z][A-Za-z0-9]*$/)
          .describe('Name of one capability.'),
      )
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe('Capabilities that the operator found by asking the server.'),
    server: z
      .object({
        product: z.string().max(MAX_SERVER_TEXT).describe('Name of the server product.'),
        version: z.string().max(MAX_SERVER_TEXT).describe('Version of the server, for display only.'),
      })
      .optional()
      .describe('The server that answered the last probe.'),
    identity: z
      .string()
      .max(MAX_IDENTITY)
      .optional()
      .describe(
        'Stable id of the store that the backend is for. If another store answers, the backend is not Ready until an annotation acknowledges it.',
      ),
    identityPlace: z
      .string()
      .max(MAX_PLACE)
      .optional()
      .describe(
        'Where spec said that the store is when its identity was recorded. A store at another place has another identity.',
      ),
  })
  .describe('Result of the last probe. Only the operator writes it.');
export type BackendStatus = z.infer<typeof BackendStatusSchema>;

/** The schema of a SecretBackend of any of these kinds. */
export function secretBackendSchemaOf(kinds: readonly BackendKind[]) {
  const { members, rules } = composeBackendSpec(kinds);
  return z
    .object({
      ...typeMetaOf('SecretBackend'),
      spec: withRules(z.object(members), ...rules).describe('Where the values are and how to reach them.'),
      status: BackendStatusSchema.prefault({ observedGeneration: -1 }),
    })
    .describe(
      'A backend that stores secrets: address, path and credentials. References stay in its namespace.',
    );
}

export const SecretBackendSchema = secretBackendSchemaOf(BACKEND_KINDS);
export type SecretBackend = z.infer<typeof SecretBackendSchema> & Observed;

/** Parses a SecretBackend as the apiserver returns it; another version may have written it: see `parseObserved`. */
export function parseSecretBackend(input: unknown): Parsed<SecretBackend> {
  return parseObserved(SecretBackendSchema, input);
}
