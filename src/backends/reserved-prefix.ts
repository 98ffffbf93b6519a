import { z } from 'zod';

/** Entry of `spec.reservedPrefixes`: names that only some namespaces may use. */
export const ReservedPrefixSchema = z.object({
  prefix: z
    .string()
    .min(1)
    .max(253)
    .regex(/^([^\p{C}\p{Z}\\%?#/]| )([^\p{C}\p{Z}\\%?#]| )*$/u, {
      error: 'must be printable characters except "\\", "%", "?" and "#", and not start with a slash',
    })
    .describe(
      'A name is reserved if its path, or the part of its path after any slash, starts with this prefix. Paths are relative to openbao.pathPrefix.',
    ),
  allowNamespaces: z
    .array(z.string().min(1).max(63).describe('Name of a namespace.'))
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .default([])
    .describe('Namespaces whose migrations may use such names. Default: none.'),
});
export type ReservedPrefix = z.infer<typeof ReservedPrefixSchema>;
