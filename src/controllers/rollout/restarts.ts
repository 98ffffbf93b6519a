import { errorOf, hasCode, type OperatorError } from '#src/errors.ts';
import type { EventSink, Logger, Metrics } from '#src/ports.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import { RESTART_ON_CHANGE_ANNOTATION } from '#src/api/group.ts';
import type { RestartedFor } from './restarted-for.ts';
import type { Batch } from './windows.ts';
import { decide, restartPatch } from './workload.ts';

const API_VERSION = 'apps/v1';
/** A rolling update writes the status of its workload again and again; more conflicts in a row are retried later. */
const MAX_CONFLICTS = 5;
/** Names of Secrets in the note of an event. */
const MAX_NOTED = 10;

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet';

export interface RestartParts {
  /** Where the API server has the workloads of each kind. */
  readonly workloads: Readonly<Record<WorkloadKind, Pick<ObjectClient, 'get' | 'list' | 'patch'>>>;
  readonly events: EventSink;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

type Listed = NonNullable<Awaited<ReturnType<ObjectClient['get']>>>;

/**
 * Restarts the workloads of one namespace that use Secrets of the batch and opted in, each with one patch. What fails for one
 * kind or one workload does not stop the others: the result has the problems. Throws only if the signal aborted, or without
 * the mandate.
 */
export async function restartIn(
  batch: Batch,
  parts: RestartParts,
  signal: AbortSignal,
): Promise<readonly OperatorError[]> {
  const work = new NamespaceRestarts(batch, parts, signal);
  for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet'] as const) await work.restart(kind);
  return work.problems;
}

class NamespaceRestarts {
  readonly problems: OperatorError[] = [];
  readonly #batch: Batch;
  readonly #parts: RestartParts;
  readonly #signal: AbortSignal;

  constructor(batch: Batch, parts: RestartParts, signal: AbortSignal) {
    this.#batch = batch;
    this.#parts = parts;
    this.#signal = signal;
  }

  async restart(kind: WorkloadKind): Promise<void> {
    try {
      for (const listed of await this.#concerned(kind)) await this.#attempt(kind, listed);
    } catch (thrown) {
      this.#note(thrown);
    }
  }

  /** Throws only `AUTH_DENIED`: without the right for one workload it is missing for the others, too. */
  async #attempt(kind: WorkloadKind, listed: Listed): Promise<void> {
    try {
      await this.#restartOne(kind, listed);
    } catch (thrown) {
      if (hasCode(thrown, 'AUTH_DENIED')) throw thrown;
      this.#note(thrown);
    }
  }

  /** All pages first: a patch must not make the list expire. Few objects of it are kept. */
  async #concerned(kind: WorkloadKind): Promise<readonly Listed[]> {
    const found: Listed[] = [];
    const { namespace, secrets } = this.#batch;
    const all = this.#parts.workloads[kind].list(namespace, [RESTART_ON_CHANGE_ANNOTATION], this.#signal);
    for await (const each of all) if (decide(each, secrets).kind !== 'nothing') found.push(each);
    return found;
  }

  async #restartOne(kind: WorkloadKind, listed: Listed): Promise<void> {
    const objects = this.#parts.workloads[kind];
    let object: Listed | undefined = listed;
    for (let conflicts = 0; object !== undefined; conflicts += 1) {
      const decision = decide(object, this.#batch.secrets);
      if (decision.kind === 'nothing') return;
      if (decision.kind === 'paused') return this.#tellPaused(kind, object);
      try {
        await objects.patch(object.metadata, restartPatch(decision.restart), this.#signal);
        return this.#tell(kind, object, decision.restart);
      } catch (thrown) {
        if (hasCode(thrown, 'NOT_FOUND')) return;
        if (!hasCode(thrown, 'VERSION_CONFLICT') || conflicts === MAX_CONFLICTS) throw thrown;
      }
      object = await objects.get(object.metadata, this.#signal);
    }
  }

  #tell(kind: WorkloadKind, { metadata }: Listed, { names }: RestartedFor): void {
    const { events, logger, metrics } = this.#parts;
    const { namespace = '', name, uid } = metadata;
    metrics.count('keyferry_rollout_restarts_total', { kind });
    logger.info('workload restarts', { namespace, kind, workload: name, secrets: names.length });
    events.record({
      regarding: { apiVersion: API_VERSION, kind, namespace, name, uid },
      type: 'Normal',
      reason: 'SecretChanged',
      action: 'Restart',
      note: `Restarts, because Secrets that it uses changed: ${enumerated(names)}.`,
    });
  }

  #tellPaused(kind: WorkloadKind, { metadata: { namespace, name } }: Listed): void {
    this.#parts.logger.info('a paused workload is not restarted', { namespace, kind, workload: name });
  }

  #note(thrown: unknown): void {
    if (this.#signal.aborted || hasCode(thrown, 'LEASE_LOST')) throw thrown;
    this.problems.push(errorOf(thrown));
  }
}

function enumerated(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NOTED).join(', ');
  return names.length > MAX_NOTED ? `${shown} and ${names.length - MAX_NOTED} more` : shown;
}
