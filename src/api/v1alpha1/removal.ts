import { z } from 'zod';
import { withRules } from '#src/schema/rules.ts';

/*
 * What holds the removal of a Secret. The fields have no defaults in the schema, so that an earlier version can read an object
 * that does not use them (docs/contributing/release.md).
 */

const MAX_REFERENCES = 16;

const ResourceSchema = withRules(
  z.object({
    group: z
      .string()
      .max(253)
      .regex(/^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$/, {
        error: 'must be an API group such as "example.com", or empty',
      })
      .optional()
      .describe('API group, for example "monitoring.coreos.com". Default: the core group.'),
    version: z
      .string()
      .min(1)
      .max(63)
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, { error: 'must be a version such as "v1"' })
      .describe('Version of the API in which path is right, for example "v1".'),
    plural: z
      .string()
      .min(1)
      .max(63)
      .regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/, {
        error: 'must be the plural name of a resource, such as "pods"',
      })
      .describe('Plural name of the resource, for example "prometheuses".'),
  }),
  {
    rule: "self.plural != 'secrets' || (has(self.group) && self.group != '')",
    message: 'Secrets are not searched: their values are no names. Use another resource',
    holds: ({ group = '', plural }) => plural !== 'secrets' || group !== '',
  },
);

export const RemovalSchema = z
  .object({
    inUse: z
      .enum(['Hold', 'Ignore'])
      .optional()
      .describe(
        'What happens to a Secret that is in use: by pods, pod templates of workloads, ServiceAccounts, Ingresses, Gateways, webhooks that take their CA from it, or the objects in references. Hold (default): it stays until nothing uses it; also while that cannot be told. Ignore: it is not asked.',
      ),
    owned: z
      .enum(['Hold', 'Remove'])
      .optional()
      .describe(
        'What happens to a Secret that another program writes, owns or replicates, such as External Secrets, cert-manager, Sealed Secrets, Vault Secrets Operator, Helm, Argo CD or Flux: it could make the Secret again. Hold (default): it stays. Remove: it is removed.',
      ),
    references: z
      .array(
        z
          .object({
            resource: ResourceSchema.describe('Objects in the namespace of the migration.'),
            path: z
              .string()
              .min(1)
              .max(256)
              .regex(/^[^.[\]*]+(\.[^.[\]*]+)*$/, {
                error: 'must be names with dots between them, such as "spec.secretRef.name"',
              })
              .describe(
                'Where such an object has the name of a Secret, for example "spec.secretRef.name". A list on the way stands for each of its items.',
              ),
          })
          .describe('Objects that name Secrets which they use.'),
      )
      .max(MAX_REFERENCES)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe(
        'More objects that use Secrets. The operator needs the right to list them, without which nothing is removed, and so does the author.',
      ),
  })
  .describe(
    'What holds the removal of a Secret with sourcePolicy Delete or Backup, or with sync.prune. No effect on other backends.',
  );
export type RemovalSpec = z.infer<typeof RemovalSchema>;
