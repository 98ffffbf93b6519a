import { z } from 'zod';
import { ObjectMetaSchema } from '#src/schema/meta.ts';
import { API_VERSION, type Kind } from './group.ts';

/** What every one of our namespaced kinds begins with. */
export function typeMetaOf<K extends Kind>(kind: K) {
  return { apiVersion: z.literal(API_VERSION), kind: z.literal(kind), metadata: ObjectMetaSchema };
}
