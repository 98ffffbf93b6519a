import { toKubernetesTime } from '#src/schema/meta.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { logFieldsOf } from '#src/errors/explain.ts';
import { errorOf } from '#src/errors.ts';
import { backoffMs } from '#src/io/retry-delay.ts';
import type { Clock, Logger, Random } from '#src/ports.ts';
import { objectKey } from '#src/runtime/store.ts';
import type { MigrationParts } from '../migration/attempt.ts';
import { reconcileMigration } from '../migration/reconcile.ts';
import { isOver } from './ended.ts';
import type { RangeOrder, RangeView } from './view.ts';

/** Runs without any progress between them, for what probably passes by itself. */
const TRIES = 4;
/** Before this time no other pods are started for what one could not do. Milliseconds. */
const REST_MS = 60_000;
/** A pod does not wait longer for another run: its end tells when one is due, and another pod comes then. Milliseconds. */
const PATIENCE_MS = 10_000;
const BACKOFF = { baseMs: 500, capMs: 10_000, jitter: 0.5 };

export interface WorkOptions {
  /** Aborts when the process is asked to end: what was sent is completed and recorded. */
  readonly asked: AbortSignal;
  readonly newId: () => string;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * The work of the pod of one range: reconciles the range until there is nothing left that it can do, and tells its end. It ends without
 * a change if that end was told before, and if the migration is another one than it was started for. Throws what stops a process.
 */
export async function workOnRange(
  parts: MigrationParts & { readonly clock: Clock },
  view: RangeView,
  order: RangeOrder,
  { asked, newId, random, logger, signal }: WorkOptions,
): Promise<void> {
  const { clock } = parts;
  let tries = 0;
  let shown: string | undefined;
  for (let found = await begin(view, signal); found !== undefined; found = await begin(view, signal)) {
    if (isOver(found.ended, found.migration, clock.now())) return;
    const context = { reconcileId: newId(), signal, logger };
    const againAfterMs = await reconcileOnce(parts, objectKey(order), { context, tries, random });
    for (const each of [signal, asked]) each.throwIfAborted();
    const after = await begin(view, signal);
    if (after === undefined) break;
    const { progress } = after.migration.status;
    tries = progress === shown ? tries + 1 : 0;
    shown = progress;
    if (againAfterMs === undefined || againAfterMs > PATIENCE_MS || tries >= TRIES) {
      await view.end(endOf(after.migration, againAfterMs, clock), signal);
      logger.info('range ended', { progress });
      return;
    }
    await clock.sleep(againAfterMs, asked);
  }
  logger.info('range left: the migration changed or is gone');
}

/** Undefined if there is nothing to run any more. */
async function begin(view: RangeView, signal: AbortSignal): ReturnType<RangeView['begin']> {
  const found = await view.begin(signal);
  const { metadata, spec } = found?.migration ?? {};
  return metadata?.deletionTimestamp !== undefined || spec?.suspend === true ? undefined : found;
}

/** One reconcile; resolves with the milliseconds until the next one is due, or undefined. Failures are in the status of the range. */
async function reconcileOnce(
  parts: MigrationParts,
  key: string,
  about: {
    readonly context: Parameters<typeof reconcileMigration>[2];
    readonly tries: number;
    readonly random: Random;
  },
): Promise<number | undefined> {
  try {
    const result = await reconcileMigration(parts, key, about.context);
    return result.kind === 'requeue' ? result.requeueAfterMs : undefined;
  } catch (failure) {
    const { code, disposition, retryAfterMs } = errorOf(failure);
    if (code === 'LEASE_LOST' || about.context.signal.aborted) throw failure;
    if (disposition === 'bug') about.context.logger.error('run of the range failed', failure);
    else about.context.logger.warn('run of the range failed', logFieldsOf(errorOf(failure)));
    if (disposition === 'waiting') return parts.waitingRetryMs;
    if (disposition !== 'transient' && disposition !== 'conflict') return undefined;
    return backoffMs(BACKOFF, about.tries + 1, { random: about.random, retryAfterMs });
  }
}

/** `requested`: what the last reconcile answered; a run that was requested since is due. */
function endOf(
  { metadata: { generation }, status }: SecretMigration,
  againAfterMs: number | undefined,
  clock: Clock,
): Parameters<RangeView['end']>[0] {
  const requested = status.lastHandledReconcileAt;
  return {
    generation,
    ...(requested === undefined ? {} : { requested }),
    ...(againAfterMs === undefined
      ? {}
      : { retryTime: toKubernetesTime(clock.now() + Math.max(againAfterMs, REST_MS)) }),
  };
}
