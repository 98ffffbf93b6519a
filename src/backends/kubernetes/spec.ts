import { z } from 'zod';

/** `spec.kubernetes`: the namespace is that of the migration. */
export const KubernetesSpecSchema = z.object({});
