import { defineKind } from '../kind.ts';
import { KubernetesSpecSchema } from './spec.ts';

export const KUBERNETES = defineKind({
  type: 'kubernetes',
  schema: KubernetesSpecSchema,
  summary: 'The Secrets in the namespace of the migration. It has no fields: {}.',
  secretReferences: () => [],
  columns: [],
  limits: {
    revisions: { why: 'A Secret has no earlier versions.' },
  },
});
