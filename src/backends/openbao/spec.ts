import { z } from 'zod';
import { PathSchema } from '#src/schema/path.ts';
import { withRules } from '#src/schema/rules.ts';
import { secretKeyRef } from '#src/schema/secret-reference.ts';
import { OpenBaoAuthSchema } from './auth/spec.ts';

/** `spec.openbao`. */
export const OpenBaoSpecSchema = withRules(
  z.object({
    address: z
      .string()
      .max(512)
      .regex(/^https?:\/\/([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\/?$/, {
        error: 'must be https://host:port without path, query or credentials',
      })
      .describe(
        'Base URL of the server, for example https://openbao.vault.svc:8200. Plain http is refused unless the operator runs with --allow-insecure-http.',
      ),
    mount: PathSchema.default('secret').describe('Path of the KV secrets engine.'),
    kvVersion: z
      .int()
      .min(1)
      .max(2)
      .default(2)
      .describe(
        'Version of that engine. Version 1 is read in full, and written only with allowUnsafeWrites; it keeps text and nothing else.',
      ),
    allowUnsafeWrites: z
      .boolean()
      .default(false)
      .describe(
        'For kvVersion 1 only: write and delete although the server cannot check what is replaced. Keyferry looks right before; what somebody else writes in between is lost, and a delete is final.',
      ),
    pathPrefix: PathSchema.optional().describe(
      'Folder below the mount that this backend is confined to; every path of a migration is below it.',
    ),
    namespace: PathSchema.optional().describe('Namespace of the server (not of Kubernetes) to work in.'),
    caBundle: z
      .string()
      .max(65_536)
      .regex(/-----BEGIN CERTIFICATE-----/, { error: 'must be PEM with at least one certificate' })
      .optional()
      .describe(
        'Certificates, as PEM, that the certificate of the server is checked against. Default: those of the system.',
      ),
    caSecretRef: secretKeyRef('ca.crt', 'the certificates, as PEM')
      .optional()
      .describe('The same certificates, from a Secret.'),
    tlsServerName: z
      .string()
      .max(253)
      .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, { error: 'must be a host name' })
      .optional()
      .describe('Name that the certificate must be for. Default: the host of the address.'),
    auth: OpenBaoAuthSchema.describe('How to log in. Set exactly one member.'),
    requestTimeoutSeconds: z
      .int()
      .min(1)
      .max(300)
      .default(30)
      .describe('Seconds after which one request counts as failed.'),
    maxInFlight: z
      .int()
      .min(1)
      .max(128)
      .default(32)
      .describe('How many requests this backend may have under way at once.'),
  }),
  {
    rule: '!self.allowUnsafeWrites || self.kvVersion == 1',
    message: 'allowUnsafeWrites is for kvVersion 1; version 2 checks every write',
    holds: (self) => !self.allowUnsafeWrites || self.kvVersion === 1,
  },
  {
    rule: '!(has(self.caBundle) && has(self.caSecretRef))',
    message: 'set at most one of caBundle and caSecretRef',
    holds: (self) => self.caBundle === undefined || self.caSecretRef === undefined,
  },
);
export type OpenBaoSpec = z.infer<typeof OpenBaoSpecSchema>;
