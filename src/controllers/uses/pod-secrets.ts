import { z } from 'zod';
import { each, lenient, Reference, secretsUsedBy } from '../rollout/used-secrets.ts';

/*
 * What a pod needs of Secrets besides the values in its containers (k8s.io/api core/v1): for pulls of images, and of the drivers
 * of its volumes.
 */

const WithReference = z.object({ secretRef: Reference });
const WithName = z.object({ secretName: z.string() });

/** The drivers of volumes, also those that only older servers have. */
const Volume = z.object({
  azureFile: lenient(WithName),
  cephfs: lenient(WithReference),
  cinder: lenient(WithReference),
  csi: lenient(z.object({ nodePublishSecretRef: Reference })),
  flexVolume: lenient(WithReference),
  iscsi: lenient(WithReference),
  rbd: lenient(WithReference),
  scaleIO: lenient(WithReference),
  storageos: lenient(WithReference),
});

const PodSpec = z.object({
  imagePullSecrets: each(Reference),
  volumes: each(Volume),
  ephemeralContainers: z.unknown().optional(),
});

/** Names of all Secrets that a pod with this spec refers to. */
export function secretsNamedBy(podSpec: unknown): ReadonlySet<string> {
  const { ephemeralContainers, imagePullSecrets, volumes } = PodSpec.safeParse(podSpec).data ?? {};
  return new Set([
    ...secretsUsedBy(podSpec),
    ...secretsUsedBy({ containers: ephemeralContainers }),
    ...(imagePullSecrets ?? []).flatMap((reference) => reference?.name ?? []),
    ...(volumes ?? []).flatMap(namesIn),
  ]);
}

function namesIn(volume: z.output<typeof Volume> | null | undefined): readonly string[] {
  if (volume === null || volume === undefined) return [];
  const { azureFile, csi, ...others } = volume;
  const names = [
    azureFile?.secretName,
    csi?.nodePublishSecretRef.name,
    ...Object.values(others).map((driver) => driver?.secretRef.name),
  ];
  return names.filter((name) => name !== undefined);
}
