import { z } from 'zod';
import { ObjectMetaSchema } from '#src/schema/meta.ts';
import { API_VERSION, type Kind } from './group.ts';

/** The members that all namespaced Keyferry kinds share. */
export function typeMetaOf<K extends Kind>(kind: K) {
  return { apiVersion: z.literal(API_VERSION), kind: z.literal(kind), metadata: ObjectMetaSchema };
}
