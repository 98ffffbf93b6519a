import { defineKind } from '../kind.ts';
import { OpenBaoSpecSchema } from './spec.ts';

export const OPENBAO = defineKind({
  type: 'openbao',
  schema: OpenBaoSpecSchema,
  summary: 'A KV secrets engine of an OpenBao or Vault server.',
  secretReferences: ({ auth, caSecretRef }) => {
    const { token, appRole, jwt, cert } = auth;
    const references = [token?.secretRef, appRole?.secretIdRef, jwt?.secretRef, cert?.secretRef, caSecretRef];
    return references.flatMap((reference) => reference?.name ?? []);
  },
  // A proxy can lead to another server by the name.
  serverOf: ({ address, tlsServerName = '' }) => `${address.replace(/\/$/, '')} ${tlsServerName}`.trim(),
  placeOf: ({ address, mount, namespace = '' }) =>
    [address, namespace, mount].map((part) => part.replace(/\/$/, '')).join(' '),
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
    changes: {
      why: 'A mount of KV version 1 cannot check what a write or delete replaces.',
      hint: 'Use a mount of KV version 2, or set spec.openbao.allowUnsafeWrites of the backend.',
    },
    backups: {
      why: 'A KV path cannot.',
      hint: 'Use sourcePolicy Delete; a version removed from a KV version 2 mount can be undeleted.',
    },
    projections: { why: 'Pods do not read KV paths.' },
    durability: {
      why: 'The mount deletes versions automatically (delete_version_after), or its configuration cannot be read.',
      hint: 'Unset delete_version_after of the mount and grant read on its config, or use sourcePolicy Keep.',
    },
    revisions: {
      why: 'The mount keeps one version only (max_versions 1, or KV version 1), or its configuration cannot be read.',
    },
  },
});
