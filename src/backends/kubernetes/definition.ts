import { defineKind } from '../kind.ts';
import { BACKUP_LABEL } from './marks.ts';
import { KubernetesSpecSchema } from './spec.ts';

export const KUBERNETES = defineKind({
  type: 'kubernetes',
  schema: KubernetesSpecSchema,
  summary: 'The Secrets in the namespace of the migration. It has no fields: {}.',
  secretReferences: () => [],
  holdsSecret: ({ labels }) => labels?.[BACKUP_LABEL] !== 'true',
  columns: [],
  limits: {
    revisions: { why: 'A Secret has no earlier versions.' },
  },
});
