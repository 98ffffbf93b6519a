import { z } from 'zod';
import { NamespacePathSchema, TreePathSchema } from '#src/schema/path.ts';
import { immutable, matching, withRules } from '#src/schema/rules.ts';
import { secretKeyRef } from '#src/schema/secret-reference.ts';
import { OpenBaoAuthSchema } from './auth/spec.ts';

const ADDRESS = /^https?:\/\/([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\/?$/;
/**
 * The credentials were given for this server. A user who may edit the backend, but not read its Secrets, must not be able
 * to send them to another one. Behind a proxy that routes by SNI, the server name decides which server that is.
 */
const ANOTHER_SERVER = 'is immutable: for another server, delete the backend and create it again';
const ADDRESS_PROBLEM =
  'must be https://host:port without path, query or credentials: remove /v1 or /ui; folders belong into mount and pathPrefix';

/** `spec.openbao`. */
export const OpenBaoSpecSchema = withRules(
  z.object({
    address: withRules(
      z.string().max(512),
      matching(ADDRESS, ADDRESS_PROBLEM),
      immutable(`address ${ANOTHER_SERVER}`),
    ).describe(
      'Base URL of the server, for example https://openbao.vault.svc:8200. It must be on the list of the administrator. Immutable. Plain http is refused unless the operator runs with --allow-insecure-http.',
    ),
    mount: TreePathSchema.default('secret').describe(
      'Path of the KV secrets engine, without data/ and without folders.',
    ),
    kvVersion: z
      .int()
      .min(1)
      .max(2)
      .default(2)
      .describe(
        'Version of the KV engine. Version 1 can be read; writes require allowUnsafeWrites. It stores text values only.',
      ),
    allowUnsafeWrites: z
      .boolean()
      .default(false)
      .describe(
        'For kvVersion 1 only: write and delete although the server cannot check what it replaces. Keyferry reads immediately before each change; a value that another writer stores in between is lost, and a delete is final.',
      ),
    pathPrefix: TreePathSchema.optional().describe(
      'Folder below the mount that confines this backend, without the mount and without data/; all paths of a migration are below it.',
    ),
    namespace: NamespacePathSchema.optional().describe(
      'Namespace of the server (not of Kubernetes) to work in, for example team-a or team-a/payments. A slash at the start or end, as the server prints it, means the same.',
    ),
    caBundle: withRules(z.string().max(65_536), {
      rule: "self.contains('-----BEGIN CERTIFICATE-----')",
      message:
        'must be PEM with at least one certificate, as it is: base64 of it, as in the caBundle of a webhook, is refused',
      holds: (self) => self.includes('-----BEGIN CERTIFICATE-----'),
    })
      .optional()
      .describe('PEM certificates that verify the certificate of the server. Default: those of the system.'),
    caSecretRef: secretKeyRef('ca.crt', 'the PEM certificates')
      .optional()
      .describe('The same certificates, from a Secret; at most 64 KiB.'),
    tlsServerName: z
      .string()
      .max(253)
      .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, { error: 'must be a host name' })
      .optional()
      .describe(
        'Host name that the certificate of the server must match. Immutable. Default: the host of the address.',
      ),
    auth: OpenBaoAuthSchema.describe('How to log in. Set exactly one member.'),
    requestTimeoutSeconds: z
      .int()
      .min(1)
      .max(300)
      .default(30)
      .describe('Timeout of one request, in seconds.'),
    maxInFlight: z
      .int()
      .min(1)
      .max(128)
      .default(32)
      .describe('Maximum number of concurrent requests of this backend.'),
  }),
  {
    rule: '!self.allowUnsafeWrites || self.kvVersion == 1',
    message: 'allowUnsafeWrites is for kvVersion 1; version 2 checks every write',
    holds: (self) => !self.allowUnsafeWrites || self.kvVersion === 1,
  },
  {
    rule: 'has(self.tlsServerName) == has(oldSelf.tlsServerName) && (!has(self.tlsServerName) || self.tlsServerName == oldSelf.tlsServerName)',
    message: `tlsServerName ${ANOTHER_SERVER}`,
  },
  {
    rule: '!(has(self.caBundle) && has(self.caSecretRef))',
    message: 'set at most one of caBundle and caSecretRef',
    holds: (self) => self.caBundle === undefined || self.caSecretRef === undefined,
  },
);
export type OpenBaoSpec = z.infer<typeof OpenBaoSpecSchema>;
