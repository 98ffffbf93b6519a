import { z } from 'zod';

const MAX_INT64_SAFE = Number.MAX_SAFE_INTEGER;

/** DNS-1123 subdomain: the name of a Kubernetes object. */
export const ObjectNameSchema = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, {
    error: 'must be a DNS-1123 subdomain: lower case letters, digits, "-" and "."',
  });

/** A key inside a Secret. */
export const SecretKeySchema = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9._-]+$/, { error: 'must consist of letters, digits, "-", "_" and "."' });

/** RFC 3339 in UTC, as Kubernetes writes it. */
export const TimeSchema = z
  .string()
  .max(64)
  .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$/, {
    error: 'must be an RFC 3339 time',
  })
  .meta({ format: 'date-time' });

/** RFC 3339 in UTC with whole seconds, as Kubernetes writes times; `epochMs` is milliseconds since the epoch. */
export function toKubernetesTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** Largest number in a status that counts objects. */
export const MAX_COUNT = 2_147_483_647;

/** A number of objects. */
export const CountSchema = z.int().min(0).max(MAX_COUNT);

export const GenerationSchema = z.int().min(-1).max(MAX_INT64_SAFE);

/** metadata.v1.Condition, with its limits. */
export const ConditionSchema = z
  .object({
    type: z
      .string()
      .min(1)
      .max(316)
      .regex(
        /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/,
      )
      .describe('What the condition states, in CamelCase.'),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether the statement is true.'),
    observedGeneration: z
      .int()
      .min(0)
      .max(MAX_INT64_SAFE)
      .optional()
      .describe('The metadata.generation that the condition was set for.'),
    lastTransitionTime: TimeSchema.describe('When status changed last.'),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .describe('Why, as one CamelCase word for programs.'),
    message: z.string().max(32_768).describe('Why, as a sentence for people; never a secret value.'),
  })
  .describe('One statement about the object, and when it last changed.');
export type Condition = z.infer<typeof ConditionSchema>;

/** At most one condition of each type. */
export const ConditionsSchema = z
  .array(ConditionSchema)
  .max(16)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });

/** metadata of a cluster-scoped object as far as Keyferry reads it. */
export const ClusterObjectMetaSchema = z.object({
  name: z.string(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.int(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  finalizers: z.array(z.string()).optional(),
});

/** The same of a namespaced object. In a CRD both are `type: object`; the apiserver validates them itself. */
export const ObjectMetaSchema = ClusterObjectMetaSchema.extend({ namespace: z.string() });
export type Metadata = z.infer<typeof ObjectMetaSchema>;
