import { z } from 'zod';

/*
 * Where a pod takes values of Secrets from (k8s.io/api core/v1 PodSpec). The API server has checked the object; what it has that is
 * not expected here counts as no reference.
 */

/** A member that is not as expected counts as absent. */
export function lenient<T extends z.ZodType>(schema: T) {
  return schema.nullish().catch(undefined);
}

/** The items of a list that are as expected. */
export function each<T extends z.ZodType>(item: T) {
  return lenient(z.array(lenient(item)));
}

/** A LocalObjectReference. */
export const Reference = z.object({ name: z.string() });

const Container = z.object({
  env: each(z.object({ valueFrom: z.object({ secretKeyRef: Reference }) })),
  envFrom: each(z.object({ secretRef: Reference })),
});

const Volume = z.object({
  secret: lenient(z.object({ secretName: z.string() })),
  projected: lenient(z.object({ sources: each(z.object({ secret: Reference })) })),
});

const PodSpec = z.object({
  volumes: each(Volume),
  containers: each(Container),
  initContainers: each(Container),
});

/**
 * Names of the Secrets whose values reach the containers of a pod with this spec: by volumes (also projected ones) and by the
 * environment of containers and init containers. Not those that only the kubelet and volume drivers read, such as
 * imagePullSecrets: they are read when they are needed, so no restart is.
 */
export function secretsUsedBy(podSpec: unknown): ReadonlySet<string> {
  const { volumes, containers, initContainers } = PodSpec.safeParse(podSpec).data ?? {};
  return new Set(
    [
      ...(volumes ?? []).flatMap((volume) => [
        volume?.secret?.secretName,
        ...(volume?.projected?.sources ?? []).map((source) => source?.secret.name),
      ]),
      ...[...(containers ?? []), ...(initContainers ?? [])].flatMap((container) => [
        ...(container?.env ?? []).map((variable) => variable?.valueFrom.secretKeyRef.name),
        ...(container?.envFrom ?? []).map((source) => source?.secretRef.name),
      ]),
    ].filter((name) => name !== undefined),
  );
}
