import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { hasCode, OperatorError } from '#src/errors.ts';
import type { ReportStore } from '#src/journal/reports.ts';
import type { Logger } from '#src/ports.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import { objectKey } from '#src/runtime/store.ts';
import { jobName, jobOf, stateOf, type JobState } from './job.ts';

export interface RangeJobsOptions {
  readonly jobs: Pick<ObjectClient, 'get' | 'create' | 'delete'>;
  readonly templates: Pick<ObjectClient, 'get'>;
  /** All reports, by the names that they have. */
  readonly reports: ReportStore;
  /** That of the operator: a pod has the credentials of all backends, so it never runs in the namespace of a user. */
  readonly namespace: string;
  /** Name of the PodTemplate. Undefined: --worker-template is not set. */
  readonly template: string | undefined;
}

const OP = 'ranges.job';

/** The Jobs of the migrations with spec.parallelism. */
export class RangeJobs {
  readonly reports: ReportStore;
  readonly #options: RangeJobsOptions;
  /** The uids of the migrations of this process, by their keys: all that is left of one that is gone. */
  readonly #uids = new Map<string, string>();

  constructor(options: RangeJobsOptions) {
    this.#options = options;
    this.reports = options.reports;
  }

  /** The Job of a migration; undefined if there is none. Throws `PARALLELISM_OFF`. */
  async read({ metadata }: SecretMigration, signal: AbortSignal): Promise<JobState | undefined> {
    this.#requireTemplate();
    this.#uids.set(objectKey(metadata), metadata.uid);
    const { jobs, namespace } = this.#options;
    const job = await jobs.get({ namespace, name: jobName(metadata) }, signal);
    return job === undefined ? undefined : stateOf(job, metadata);
  }

  /** Makes the Job. Throws `PARALLELISM_OFF` for a PodTemplate that cannot be used. */
  async start(migration: SecretMigration, signal: AbortSignal): Promise<void> {
    const { jobs, namespace, templates } = this.#options;
    const name = this.#requireTemplate();
    const template = await templates.get({ namespace, name }, signal);
    const job = jobOf(migration, { namespace, template });
    if (job === undefined) {
      const lacks = template === undefined ? 'does not exist' : 'has no container with the name worker';
      const detail = `The PodTemplate ${lacks}.`;
      throw new OperatorError('PARALLELISM_OFF', {
        op: OP,
        target: `PodTemplate ${namespace}/${name}`,
        detail,
      });
    }
    try {
      await jobs.create(job, signal);
    } catch (failure) {
      // The replica that led before has made it, or one of another generation is about to go: the next reconcile sees it.
      if (!hasCode(failure, 'ALREADY_EXISTS')) throw failure;
    }
  }

  async end({ metadata }: Pick<JobState, 'metadata'>, signal: AbortSignal): Promise<void> {
    await this.#options.jobs.delete(metadata, signal);
  }

  /** Deletes the Job of a migration that is gone. Its pods end by themselves, also if this fails. */
  async forget(
    key: string,
    { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
  ): Promise<void> {
    const uid = this.#uids.get(key);
    if (uid === undefined) return;
    this.#uids.delete(key);
    const { jobs, namespace } = this.#options;
    try {
      const job = await jobs.get({ namespace, name: jobName({ uid }) }, signal);
      if (job !== undefined) await jobs.delete(job.metadata, signal);
    } catch (failure) {
      logger.warn('Job of a deleted migration was not deleted', {
        job: jobName({ uid }),
        code: codeOf(failure),
      });
    }
  }

  #requireTemplate(): string {
    const { template } = this.#options;
    if (template !== undefined) return template;
    const detail = 'It runs without --worker-template.';
    throw new OperatorError('PARALLELISM_OFF', { op: OP, detail });
  }
}

function codeOf(failure: unknown): string {
  return failure instanceof OperatorError ? failure.code : 'INTERNAL';
}
