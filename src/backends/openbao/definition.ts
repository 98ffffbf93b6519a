import { defineKind } from '../kind.ts';
import { OpenBaoSpecSchema } from './spec.ts';

export const OPENBAO = defineKind({
  type: 'openbao',
  schema: OpenBaoSpecSchema,
  summary: 'A KV secrets engine of an OpenBao server.',
  secretReferences: ({ auth, caSecretRef }) => {
    const { token, appRole, jwt, cert } = auth;
    const references = [token?.secretRef, appRole?.secretIdRef, jwt?.secretRef, cert?.secretRef, caSecretRef];
    return references.flatMap((reference) => reference?.name ?? []);
  },
  columns: [
    {
      name: 'Address',
      type: 'string',
      jsonPath: '.spec.openbao.address',
      description: 'Base URL of the server.',
      wide: true,
    },
  ],
  limits: {
    changes:
      'Its mount is KV version 1, which cannot check what a write or delete replaces. Use a mount of version 2, or set spec.openbao.allowUnsafeWrites of the backend.',
    backups: 'In a KV version 2 mount a removed version can be undeleted; use Delete.',
    projections: 'Pods read no KV paths.',
    durability:
      'Its mount deletes versions by itself (delete_version_after), or its configuration may not be read.',
    revisions:
      'Its mount keeps one version only (max_versions 1, or KV version 1), or its configuration may not be read.',
  },
});
