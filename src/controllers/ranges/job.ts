import { z } from 'zod';
import { GROUP, MIGRATION_UID_LABEL } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { INDEXED } from '#src/runtime/indexed-job.ts';
import type { CachedObject } from '#src/runtime/store.ts';

/*
 * The Job whose pods move the ranges of one migration: a pod for each range, by its completion index. What a pod is (image, account,
 * volumes, flags of the operator) is in a PodTemplate beside the operator.
 */

/** On a Job: the generation of the spec that its pods work on. */
const GENERATION_ANNOTATION = `${GROUP}/generation`;
/** On a Job: the migration that it is for. */
const FOR_ANNOTATION = `${GROUP}/migration`;
/** The container that runs `keyferry worker`. */
const CONTAINER = 'worker';
/** Failures of a pod before its range counts as failed. */
const FAILURES_OF_A_RANGE = 6;
/** A Job whose migration is gone, and that nobody deletes, goes after this time. */
const SECONDS_AFTER_END = 3600;

type Owner = SecretMigration['metadata'];

/** The name of the Job of a migration. */
export function jobName({ uid }: Pick<Owner, 'uid'>): string {
  return `keyferry-${uid}`;
}

/** The flags of a pod; its range is in JOB_COMPLETION_INDEX. */
export function flagsOf({ metadata, spec }: SecretMigration): readonly string[] {
  const { generation, name, namespace, uid } = metadata;
  return [
    `--migration=${namespace}/${name}`,
    `--uid=${uid}`,
    `--generation=${generation}`,
    `--pods=${spec.parallelism?.pods ?? 0}`,
  ];
}

const ContainerSchema = z.looseObject({ name: z.string(), args: z.array(z.string()).optional() });
const TemplateSchema = z.looseObject({
  template: z.looseObject({
    metadata: z
      .looseObject({
        labels: z.record(z.string(), z.string()).optional(),
        annotations: z.record(z.string(), z.string()).optional(),
      })
      .optional(),
    spec: z.looseObject({ containers: z.array(ContainerSchema) }),
  }),
});

/** The Job of a migration. Undefined if the PodTemplate has no container that runs `keyferry worker`. */
export function jobOf(
  migration: SecretMigration,
  { namespace, template }: { readonly namespace: string; readonly template: unknown },
) {
  const parsed = TemplateSchema.safeParse(template);
  const pod = parsed.data?.template;
  const worker = pod?.spec.containers.find(({ name }) => name === CONTAINER);
  if (pod === undefined || worker === undefined) return undefined;
  const { metadata, spec } = migration;
  const pods = spec.parallelism?.pods ?? 0;
  const labels = { [MIGRATION_UID_LABEL]: metadata.uid };
  const container = { ...worker, args: [...(worker.args ?? [CONTAINER]), ...flagsOf(migration)] };
  const containers = pod.spec.containers.map((each) => (each === worker ? container : each));
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(metadata),
      namespace,
      labels,
      annotations: {
        [GENERATION_ANNOTATION]: String(metadata.generation),
        [FOR_ANNOTATION]: `${metadata.namespace}/${metadata.name}`,
      },
    },
    spec: {
      ...INDEXED,
      completions: pods,
      parallelism: pods,
      backoffLimitPerIndex: FAILURES_OF_A_RANGE,
      ttlSecondsAfterFinished: SECONDS_AFTER_END,
      template: {
        metadata: { ...pod.metadata, labels: { ...pod.metadata?.labels, ...labels } },
        spec: { ...pod.spec, restartPolicy: 'Never', containers },
      },
    },
  };
}

const JobSchema = z.looseObject({
  status: z
    .looseObject({
      failedIndexes: z.string().max(1024).optional().catch(undefined),
      ready: z.number().optional().catch(undefined),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).optional(),
    })
    .optional(),
});

/** A Job as it is now. */
export interface JobState {
  readonly metadata: CachedObject['metadata'];
  /** False: its pods work on another generation of the spec. */
  readonly isCurrent: boolean;
  /** `failed`: a range failed too often. */
  readonly state: 'active' | 'complete' | 'failed';
  /** The ranges that failed, as Kubernetes writes them: `1,3-5`. */
  readonly failedIndexes: string | undefined;
  /** Its pods that run; undefined before its controller has counted them. */
  readonly runningPods: number | undefined;
}

export function stateOf(object: CachedObject, { generation }: Pick<Owner, 'generation'>): JobState {
  const status = JobSchema.safeParse(object).data?.status;
  const is = (wanted: string): boolean =>
    status?.conditions?.some(({ type, status: value }) => type === wanted && value === 'True') === true;
  const { metadata } = object;
  return {
    metadata,
    isCurrent: metadata.annotations?.[GENERATION_ANNOTATION] === String(generation),
    state: is('Failed') ? 'failed' : is('Complete') ? 'complete' : 'active',
    failedIndexes: status?.failedIndexes,
    runningPods: status?.ready,
  };
}
