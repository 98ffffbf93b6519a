import { z } from 'zod';
import { ObjectNameSchema } from '#src/schema/meta.ts';
import { PathSchema } from '#src/schema/path.ts';
import { exactlyOne, withRules } from '#src/schema/rules.ts';
import { secretKeyRef, SecretRefSchema } from '#src/schema/secret-reference.ts';

const TokenAuthSchema = z.object({
  secretRef: secretKeyRef('token', 'the token').describe(
    'The Secret that contains the token; it is read again when it changes.',
  ),
});

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
  .describe('The ServiceAccount whose short-lived token is sent to the server.');

const AudiencesSchema = z
  .array(z.string().min(1).max(253).describe('One audience.'))
  .min(1)
  .max(8)
  .meta({ 'x-kubernetes-list-type': 'atomic' })
  .describe(
    'Audiences of the ServiceAccount token: what the role of the server names. Each starts with the prefix of the flag --audience-prefix (keyferry.io/).',
  );

const KubernetesAuthSchema = z.object({
  mountPath: PathSchema.default('kubernetes').describe(
    'Path at which the auth method is enabled, without auth/.',
  ),
  role: RoleSchema.describe('Role of the auth method to log in with.'),
  serviceAccountRef: ServiceAccountRefSchema,
  audiences: AudiencesSchema,
});

const AppRoleAuthSchema = z.object({
  mountPath: PathSchema.default('approle').describe(
    'Path at which the auth method is enabled, without auth/.',
  ),
  roleId: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[\x21-\x7e]+$/, { error: 'must be printable ASCII without spaces' })
    .describe('The role id. It identifies the role and is not secret.'),
  secretIdRef: secretKeyRef('secret-id', 'the secret id').describe(
    'The Secret that contains the secret id, not response-wrapped; it is read again when it changes.',
  ),
});

const JwtAuthSchema = withRules(
  z.object({
    mountPath: PathSchema.default('jwt').describe('Path at which the auth method is enabled, without auth/.'),
    role: RoleSchema.describe('Role of the auth method to log in with.'),
    serviceAccountRef: ServiceAccountRefSchema.optional(),
    audiences: AudiencesSchema.optional(),
    secretRef: secretKeyRef('token', 'the token')
      .optional()
      .describe('A Secret that contains a JWT of another issuer; it is read again when it changes.'),
  }),
  exactlyOne(['serviceAccountRef', 'secretRef'], 'set exactly one of serviceAccountRef and secretRef'),
  {
    rule: '!has(self.audiences) || has(self.serviceAccountRef)',
    message: 'audiences requires serviceAccountRef; a stored JWT has its own audiences',
    holds: (self) => self.audiences === undefined || self.serviceAccountRef !== undefined,
  },
  {
    rule: '!has(self.serviceAccountRef) || has(self.audiences)',
    message: 'serviceAccountRef requires audiences: set those that the role of the server names',
    holds: (self) => self.serviceAccountRef === undefined || self.audiences !== undefined,
  },
);

const CertAuthSchema = z.object({
  mountPath: PathSchema.default('cert').describe('Path at which the auth method is enabled, without auth/.'),
  name: RoleSchema.optional().describe(
    'Certificate role to log in with. Default: the server selects a matching role.',
  ),
  secretRef: SecretRefSchema.describe(
    'The Secret of type kubernetes.io/tls with the client certificate (tls.crt) and its key (tls.key); it is read again when it changes.',
  ),
});

/** `spec.openbao.auth`: one member for each way to log in. */
export const OpenBaoAuthSchema = withRules(
  z.object({
    token: TokenAuthSchema.optional().describe('Use a token from a Secret.'),
    kubernetes: KubernetesAuthSchema.optional().describe(
      'Log in with the token of a ServiceAccount (auth method "kubernetes" of the server).',
    ),
    appRole: AppRoleAuthSchema.optional().describe(
      'Log in with a role id and a secret id (auth method "approle" of the server).',
    ),
    jwt: JwtAuthSchema.optional().describe(
      'Log in with a signed token that the server verifies without the API server (auth method "jwt" of the server).',
    ),
    cert: CertAuthSchema.optional().describe(
      'Log in with a TLS client certificate (auth method "cert" of the server). No proxy between Keyferry and the server may terminate TLS.',
    ),
  }),
  exactlyOne(
    ['token', 'kubernetes', 'appRole', 'jwt', 'cert'],
    'set exactly one of token, kubernetes, appRole, jwt and cert',
  ),
);
export type OpenBaoAuth = z.infer<typeof OpenBaoAuthSchema>;
