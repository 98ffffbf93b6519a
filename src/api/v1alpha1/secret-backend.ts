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
import { exactlyOne, immutable, withRules, type Rule } from '../rules.ts';

/**
 * What a server turned out to be able to do; the closed list behind `status.capabilities` and `Probe.capabilities`.
 * Found by asking the server, never by its version number.
 */
export const CAPABILITIES = {
  ConditionalWrite:
    'A write can name the version that it replaces. Without it or UnsafeWrites, nothing is written.',
  UnsafeWrites:
    'The spec allows writes and deletes that only read before: a change that another writer makes in between is lost.',
  Revisions: 'Older revisions stay readable after a newer write.',
  FieldLimit498: 'A request holds at most 1,000 JSON strings: 498 fields per document.',
  Expiry: 'A document can have an expiry time.',
  SelfDestructs:
    'Settings of the store delete values automatically, or cannot be read: no source is removed.',
} as const;
export type Capability = keyof typeof CAPABILITIES;

/** Segments of letters, digits, "_", "-" and ".", none of which starts with a dot, joined by single slashes. */
const PATH = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/;
const PATH_PROBLEM = 'must be segments of letters, digits, "_", "-" and ".", joined by single slashes';

const PathSchema = z.string().min(1).max(253).regex(PATH, { error: PATH_PROBLEM });

/**
 * Reference to one key of a Secret in the namespace of the backend; that of a ClusterSecretBackend is
 * --cluster-resource-namespace.
 */
export const SecretKeyRefSchema = z.object({
  name: ObjectNameSchema.describe('Name of a Secret in the namespace of this backend.'),
  key: SecretKeySchema.default('token').describe('Key of the Secret that holds the token.'),
});

const CaSecretRefSchema = z.object({
  name: ObjectNameSchema.describe('Name of a Secret in the namespace of this backend.'),
  key: SecretKeySchema.default('ca.crt').describe('Key of the Secret that holds the certificates, as PEM.'),
});

export const TokenAuthSchema = z.object({
  secretRef: SecretKeyRefSchema.describe(
    'The Secret that holds the token; it is read again when it changes.',
  ),
});
export type TokenAuth = z.infer<typeof TokenAuthSchema>;

/** Name of a role of an auth method. */
const RoleSchema = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9_.-]+$/, { error: 'must consist of letters, digits, "-", "_" and "."' });

const ServiceAccountRefSchema = z
  .object({
    name: ObjectNameSchema.describe('Name of a ServiceAccount in the namespace of this backend.'),
  })
  .describe('The ServiceAccount whose short-lived token is shown to the server.');

const AudiencesSchema = z
  .array(z.string().min(1).max(253).describe('One audience.'))
  .min(1)
  .max(8)
  .meta({ 'x-kubernetes-list-type': 'atomic' })
  .optional()
  .describe('Audiences of that token. Default: those of the cluster itself.');

export const KubernetesAuthSchema = z.object({
  mountPath: PathSchema.default('kubernetes').describe('Path at which the auth method is enabled.'),
  role: RoleSchema.describe('Role of the auth method to log in with.'),
  serviceAccountRef: ServiceAccountRefSchema,
  audiences: AudiencesSchema,
});

const SecretIdRefSchema = z.object({
  name: ObjectNameSchema.describe('Name of a Secret in the namespace of this backend.'),
  key: SecretKeySchema.default('secret-id').describe('Key of the Secret that holds the secret id.'),
});

export const AppRoleAuthSchema = z.object({
  mountPath: PathSchema.default('approle').describe('Path at which the auth method is enabled.'),
  roleId: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[\x21-\x7e]+$/, { error: 'must be printable ASCII without spaces' })
    .describe('The role id; it names the role and is no secret.'),
  secretIdRef: SecretIdRefSchema.describe(
    'The Secret that holds the secret id, plain and not response-wrapped; it is read again when it changes.',
  ),
});
export type AppRoleAuth = z.infer<typeof AppRoleAuthSchema>;

export const JwtAuthSchema = withRules(
  z.object({
    mountPath: PathSchema.default('jwt').describe('Path at which the auth method is enabled.'),
    role: RoleSchema.describe('Role of the auth method to log in with.'),
    serviceAccountRef: ServiceAccountRefSchema.optional(),
    audiences: AudiencesSchema,
    secretRef: SecretKeyRefSchema.optional().describe(
      'A Secret that holds a JWT of another issuer; it is read again when it changes.',
    ),
  }),
  exactlyOne(['serviceAccountRef', 'secretRef'], 'set exactly one of serviceAccountRef and secretRef'),
  {
    rule: '!has(self.audiences) || has(self.serviceAccountRef)',
    message: 'audiences belong to the token of a serviceAccountRef; a stored JWT has its own',
    holds: (self) => self.audiences === undefined || self.serviceAccountRef !== undefined,
  },
);
export type JwtAuth = z.infer<typeof JwtAuthSchema>;

export const CertAuthSchema = z.object({
  mountPath: PathSchema.default('cert').describe('Path at which the auth method is enabled.'),
  name: RoleSchema.optional().describe(
    'Certificate role to log in with. Default: the server looks for one that fits.',
  ),
  secretRef: z
    .object({
      name: ObjectNameSchema.describe('Name of a Secret in the namespace of this backend.'),
    })
    .describe(
      'The Secret of type kubernetes.io/tls with the client certificate (tls.crt) and its key (tls.key); it is read again when it changes.',
    ),
});
export type CertAuth = z.infer<typeof CertAuthSchema>;

export const OpenBaoAuthSchema = withRules(
  z.object({
    token: TokenAuthSchema.optional().describe('Use a token that somebody stored in a Secret.'),
    kubernetes: KubernetesAuthSchema.optional().describe(
      'Log in with the token of a ServiceAccount (auth method "kubernetes" of the server).',
    ),
    appRole: AppRoleAuthSchema.optional().describe(
      'Log in with a role id and a secret id (auth method "approle" of the server).',
    ),
    jwt: JwtAuthSchema.optional().describe(
      'Log in with a signed token that the server checks by itself (auth method "jwt" of the server).',
    ),
    cert: CertAuthSchema.optional().describe(
      'Log in with a TLS client certificate (auth method "cert" of the server); nothing between Keyferry and the server may end TLS.',
    ),
  }),
  exactlyOne(
    ['token', 'kubernetes', 'appRole', 'jwt', 'cert'],
    'set exactly one of token, kubernetes, appRole, jwt and cert',
  ),
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
    mount: PathSchema.default('secret').describe('Path of the KV secrets engine.'),
    kvVersion: z
      .int()
      .min(1)
      .max(2)
      .default(2)
      .describe(
        'Version of that engine. Version 1 is read in full, and written only with allowUnsafeWrites; it keeps text fields and nothing else.',
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

export const DirectorySpecSchema = z.object({
  path: PathSchema.optional().describe(
    'Folder below <directory-root>/<namespace>, which the operator was started with. Default: that folder itself.',
  ),
  trailingNewline: z
    .enum(['Keep', 'Strip'])
    .describe(
      'What a newline at the end of a file is. Keep: a part of the value. Strip: not a part of it; one is taken away when a file is read, and added when it is written.',
    ),
  allowWorldReadable: z
    .boolean()
    .default(false)
    .describe(
      'Use the folder although everybody on the machine has rights on it, or on one above it up to the root.',
    ),
});
export type DirectorySpec = z.infer<typeof DirectorySpecSchema>;

const ReservedPrefixSchema = z.object({
  prefix: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[A-Za-z0-9_.=@:+~,-][A-Za-z0-9_.=@:+~,/-]*$/, {
      error: 'must be letters, digits and "/_.=@:+~,-", and not begin with a slash',
    })
    .describe(
      'What a reserved name begins with, or what follows any slash of a reserved path; paths are those below openbao.pathPrefix.',
    ),
  allowNamespaces: z
    .array(z.string().min(1).max(63).describe('Name of a namespace.'))
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .default([])
    .describe('Namespaces whose migrations may use such names. Default: none.'),
});
export type ReservedPrefix = z.infer<typeof ReservedPrefixSchema>;

/** What the specs of both kinds of backend have. */
export const BACKEND_MEMBERS = {
  type: withRules(
    z
      .enum(['kubernetes', 'openbao', 'directory'])
      .describe('Kind of store; the member of the same name configures it. Immutable.'),
    immutable('type is immutable: create a new backend'),
  ),
  kubernetes: z
    .object({})
    .optional()
    .describe('The Secrets of the namespace of the migration. There is nothing to configure: {}.'),
  openbao: OpenBaoSpecSchema.optional().describe('A KV secrets engine of an OpenBao server.'),
  directory: DirectorySpecSchema.optional().describe(
    'Files that the operator can reach: a file is a document with the field value, a folder one with a field for each file in it.',
  ),
  reservedPrefixes: z
    .array(ReservedPrefixSchema.describe('One begin of reserved names, and who may use them.'))
    .max(32)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['prefix'] })
    .optional()
    .describe(
      'Names that are reserved for system use: for every namespace that is not allowed they are invisible, and reading, writing or deleting one is refused.',
    ),
};

const BackendMembersSchema = z.object(BACKEND_MEMBERS);

/** What must hold between them. */
export const BACKEND_RULES: readonly Rule<z.output<typeof BackendMembersSchema>>[] = [
  {
    rule: "has(self.kubernetes) == (self.type == 'kubernetes') && has(self.openbao) == (self.type == 'openbao') && has(self.directory) == (self.type == 'directory')",
    message: 'set exactly the member that type names: kubernetes, openbao or directory',
    holds: (self) =>
      (self.kubernetes !== undefined) === (self.type === 'kubernetes') &&
      (self.openbao !== undefined) === (self.type === 'openbao') &&
      (self.directory !== undefined) === (self.type === 'directory'),
  },
];

export const SecretBackendSpecSchema = withRules(BackendMembersSchema, ...BACKEND_RULES).describe(
  'Where values live and how to get there.',
);

export const BackendStatusSchema = z
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
export type BackendStatus = z.infer<typeof BackendStatusSchema>;

export const SecretBackendSchema = z
  .object({
    ...typeMetaOf('SecretBackend'),
    spec: SecretBackendSpecSchema,
    status: BackendStatusSchema.prefault({ observedGeneration: -1 }),
  })
  .describe(
    'A place that keeps secrets: address, path and credentials. Every reference stays in its namespace.',
  );
export type SecretBackend = z.infer<typeof SecretBackendSchema>;

/** Parses a SecretBackend as the apiserver returns it. */
export function parseSecretBackend(input: unknown): Parsed<SecretBackend> {
  return parseWith(SecretBackendSchema, input);
}
