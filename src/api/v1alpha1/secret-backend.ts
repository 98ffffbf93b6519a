import { z } from 'zod';
import {
  ConditionsSchema,
  GenerationSchema,
  ObjectNameSchema,
  SecretKeySchema,
  typeMetaOf,
} from '../meta.ts';
import { parseWith } from '../parse.ts';
import type { Parsed } from '../parse.ts';
import { exactlyOne, immutable, withRules } from '../rules.ts';

/**
 * What a server turned out to be able to do; the closed list behind `status.capabilities` and `Probe.capabilities`.
 * Found by asking the server, never by its version number.
 */
export const CAPABILITIES = {
  ConditionalWrite: 'A write can name the version that it replaces. Without it nothing is written.',
  Revisions: 'Older revisions stay readable after a newer write.',
  PagedList: 'Listings are paged by the server.',
  DetailedList: 'One listing tells versions and times of a whole folder.',
  FieldLimit498: 'A request holds at most 1,000 JSON strings, that is 498 fields a document.',
  Expiry: 'A document can be given the time at which it expires.',
  SelfDestructs:
    'Settings of the store destroy values later by themselves, or could not be read: no source is deleted.',
} as const;
export type Capability = keyof typeof CAPABILITIES;

/** Segments of letters, digits, "_", "-" and ".", none of which starts with a dot, joined by single slashes. */
const PATH = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/;
const PATH_PROBLEM = 'must be segments of letters, digits, "_", "-" and ".", joined by single slashes';

const PathSchema = z.string().min(1).max(253).regex(PATH, { error: PATH_PROBLEM });

/** Reference to one key of a Secret in the namespace of the backend. */
export const SecretKeyRefSchema = z.object({
  name: ObjectNameSchema.describe('Name of a Secret in the namespace of this SecretBackend.'),
  key: SecretKeySchema.default('token').describe('Key of the Secret that holds the token.'),
});

const CaSecretRefSchema = z.object({
  name: ObjectNameSchema.describe('Name of a Secret in the namespace of this SecretBackend.'),
  key: SecretKeySchema.default('ca.crt').describe('Key of the Secret that holds the certificates, as PEM.'),
});

export const TokenAuthSchema = z.object({
  secretRef: SecretKeyRefSchema.describe(
    'The Secret that holds the token; it is read again when it changes.',
  ),
});
export type TokenAuth = z.infer<typeof TokenAuthSchema>;

export const KubernetesAuthSchema = z.object({
  mountPath: PathSchema.default('kubernetes').describe('Path at which the auth method is enabled.'),
  role: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[A-Za-z0-9_.-]+$/, { error: 'must consist of letters, digits, "-", "_" and "."' })
    .describe('Role of the auth method to log in with.'),
  serviceAccountRef: z
    .object({
      name: ObjectNameSchema.describe('Name of a ServiceAccount in the namespace of this SecretBackend.'),
    })
    .describe('The ServiceAccount whose short-lived token is shown to the server.'),
  audiences: z
    .array(z.string().min(1).max(253).describe('One audience.'))
    .min(1)
    .max(8)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('Audiences of that token. Default: those of the cluster itself.'),
});
export type KubernetesAuth = z.infer<typeof KubernetesAuthSchema>;

export const OpenBaoAuthSchema = withRules(
  z.object({
    token: TokenAuthSchema.optional().describe('Use a token that somebody stored in a Secret.'),
    kubernetes: KubernetesAuthSchema.optional().describe(
      'Log in with the token of a ServiceAccount (auth method "kubernetes" of the server).',
    ),
  }),
  exactlyOne(['token', 'kubernetes'], 'set exactly one of token and kubernetes'),
);

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
    mount: PathSchema.default('secret').describe('Path of the KV version 2 secrets engine.'),
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
    caSecretRef: CaSecretRefSchema.optional().describe('The same certificates, from a Secret.'),
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
    rule: '!(has(self.caBundle) && has(self.caSecretRef))',
    message: 'set at most one of caBundle and caSecretRef',
    holds: (self) => self.caBundle === undefined || self.caSecretRef === undefined,
  },
);
export type OpenBaoSpec = z.infer<typeof OpenBaoSpecSchema>;

export const SecretBackendSpecSchema = withRules(
  z.object({
    type: withRules(
      z
        .enum(['kubernetes', 'openbao'])
        .describe('Kind of store; the member of the same name configures it. Immutable.'),
      immutable('type is immutable: create a new SecretBackend'),
    ),
    kubernetes: z
      .object({})
      .optional()
      .describe('The Secrets of the namespace of this SecretBackend. There is nothing to configure: {}.'),
    openbao: OpenBaoSpecSchema.optional().describe('A KV version 2 secrets engine of an OpenBao server.'),
  }),
  {
    rule: "has(self.kubernetes) == (self.type == 'kubernetes') && has(self.openbao) == (self.type == 'openbao')",
    message: 'set exactly the member that type names: kubernetes or openbao',
    holds: (self) =>
      (self.kubernetes !== undefined) === (self.type === 'kubernetes') &&
      (self.openbao !== undefined) === (self.type === 'openbao'),
  },
).describe('Where values live and how to get there.');
export type SecretBackendSpec = z.infer<typeof SecretBackendSpecSchema>;

export const SecretBackendStatusSchema = z
  .object({
    observedGeneration: GenerationSchema.default(-1).describe(
      'The metadata.generation that this status is about; -1 before the first visit.',
    ),
    conditions: ConditionsSchema.optional().describe('Ready, and while they hold Reconciling and Stalled.'),
    capabilities: z
      .array(
        z
          .string()
          .max(64)
          .regex(/^[A-Z][A-Za-z0-9]*$/)
          .describe('One ability, by name.'),
      )
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe('What the server turned out to be able to do.'),
    server: z
      .object({
        product: z.string().max(64).describe('What the server calls itself.'),
        version: z.string().max(64).describe('Its version, for display only.'),
      })
      .optional()
      .describe('The server that answered last.'),
    identity: z
      .string()
      .max(512)
      .optional()
      .describe('Stable id of the very store: another one means that it was swapped or restored.'),
  })
  .describe('What the operator saw last; written by the operator only.');
export type SecretBackendStatus = z.infer<typeof SecretBackendStatusSchema>;

export const SecretBackendSchema = z
  .object({
    ...typeMetaOf('SecretBackend'),
    spec: SecretBackendSpecSchema,
    status: SecretBackendStatusSchema.prefault({ observedGeneration: -1 }),
  })
  .describe(
    'A place that keeps secrets: address, path and credentials. Every reference stays in its namespace.',
  );
export type SecretBackend = z.infer<typeof SecretBackendSchema>;

/** Parses a SecretBackend as the apiserver returns it. */
export function parseSecretBackend(input: unknown): Parsed<SecretBackend> {
  return parseWith(SecretBackendSchema, input);
}
