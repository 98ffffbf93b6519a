import { z } from 'zod';
import { secretKeyRef } from '#src/schema/secret-reference.ts';
import { defineKind } from '../kind.ts';

/** `spec.memory`. */
export const MemorySpecSchema = z.object({
  secretRef: secretKeyRef('token', 'the token')
    .optional()
    .describe('A Secret in place of the credentials of real backends.'),
});
export type MemorySpec = z.infer<typeof MemorySpecSchema>;

/** For tests only: it is not in BACKEND_KINDS, and nothing that ships imports it. */
export const MEMORY = defineKind({
  type: 'memory',
  schema: MemorySpecSchema,
  summary: 'Documents in the memory of one process; for tests only.',
  secretReferences: ({ secretRef }) => (secretRef === undefined ? [] : [secretRef.name]),
  columns: [],
  limits: {},
});
