import { defineKind } from '../kind.ts';
import { KubernetesSpecSchema } from './spec.ts';

export const KUBERNETES = defineKind({
  type: 'kubernetes',
  schema: KubernetesSpecSchema,
  summary: 'The Secrets of the namespace of the migration. There is nothing to configure: {}.',
  secretReferences: () => [],
  columns: [],
  limits: {
    revisions: { why: 'A Secret has no earlier versions.' },
  },
});
