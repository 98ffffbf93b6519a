import { z } from 'zod';
import type { BackendKind } from '#src/backends/kind.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { composeBackendSpec } from '#src/backends/spec.ts';
import { ConditionsSchema, GenerationSchema } from '#src/schema/meta.ts';
import { parseWith } from '#src/schema/parse.ts';
import type { Parsed } from '#src/schema/parse.ts';
import { withRules } from '#src/schema/rules.ts';
import { typeMetaOf } from '../type-meta.ts';

export const BackendStatusSchema = z
  .object({
    observedGeneration: GenerationSchema.default(-1).describe(
      'The metadata.generation that this status is about; -1 before the first visit.',
    ),
    conditions: ConditionsSchema.optional().describe('Ready, and while they hold Reconciling and Stalled.'),
    capabilities: z
      .array(
        z
          .string()
          .max(64)
          .regex(/^[A-Z][A-Za-z0-9]*$/)
          .describe('One ability, by name.'),
      )
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe('What the server turned out to be able to do.'),
    server: z
      .object({
        product: z.string().max(64).describe('What the server calls itself.'),
        version: z.string().max(64).describe('Its version, for display only.'),
      })
      .optional()
      .describe('The server that answered last.'),
    identity: z
      .string()
      .max(512)
      .optional()
      .describe('Stable id of the very store: another one means that it was swapped or restored.'),
  })
  .describe('What the operator saw last; written by the operator only.');
export type BackendStatus = z.infer<typeof BackendStatusSchema>;

/** The schema of a SecretBackend that can be of any of these kinds. */
export function secretBackendSchemaOf(kinds: readonly BackendKind[]) {
  const { members, rules } = composeBackendSpec(kinds);
  return z
    .object({
      ...typeMetaOf('SecretBackend'),
      spec: withRules(z.object(members), ...rules).describe('Where values live and how to get there.'),
      status: BackendStatusSchema.prefault({ observedGeneration: -1 }),
    })
    .describe(
      'A place that keeps secrets: address, path and credentials. Every reference stays in its namespace.',
    );
}

export const SecretBackendSchema = secretBackendSchemaOf(BACKEND_KINDS);
export type SecretBackend = z.infer<typeof SecretBackendSchema>;

/** Parses a SecretBackend as the apiserver returns it. */
export function parseSecretBackend(input: unknown): Parsed<SecretBackend> {
  return parseWith(SecretBackendSchema, input);
}
