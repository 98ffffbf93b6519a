import { z } from 'zod';
import { ObjectNameSchema, SecretKeySchema } from './meta.ts';

/**
 * References of a backend to Secrets. They never name a namespace: the Secrets are in the namespace of the backend, or
 * in --cluster-resource-namespace for a ClusterSecretBackend.
 */

/** A whole Secret. */
export const SecretRefSchema = z.object({
  name: ObjectNameSchema.describe('Name of a Secret in the namespace of this backend.'),
});

/** One key of a Secret; `content` names its content, as in "the token". */
export function secretKeyRef(defaultKey: string, content: string) {
  return SecretRefSchema.extend({
    key: SecretKeySchema.default(defaultKey).describe(`Key of the Secret that contains ${content}.`),
  });
}
