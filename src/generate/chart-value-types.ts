import { z } from 'zod';

/** A group of values; without one of them it has its default. Any other name is refused. */
export function object<T extends z.ZodRawShape>(description: string, shape: T) {
  return z.strictObject(shape).optional().describe(description);
}

export function text(byDefault: string, description: string) {
  return z.string().default(byDefault).describe(description);
}

export function toggle(byDefault: boolean, description: string) {
  return z.boolean().default(byDefault).describe(description);
}

export function names(description: string) {
  return z.array(z.string().min(1)).default([]).describe(description);
}

/** Parts of manifests, which the API server validates. */
export function objects(description: string) {
  return z.array(z.looseObject({})).default([]).describe(description);
}
