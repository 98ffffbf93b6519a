import { resourceOf } from '#src/app/clients.ts';
import { hasCode } from '#src/errors.ts';
import type { KubeClient, KubeObject } from '#src/kube/client.ts';
import { collectionPath } from '#src/kube/resource.ts';
import type { Clock } from '#src/ports.ts';
import { Backoff } from '#src/runtime/backoff.ts';
import { isKubeObject } from '#src/runtime/listing.ts';
import { listObjects, type Choice } from './list-objects.ts';

/** What a watch sees. */
export type Look =
  /** Everything that there is now: at the start, and after each interruption. */
  | { readonly kind: 'all'; readonly objects: readonly KubeObject[] }
  | { readonly kind: 'changed' | 'deleted'; readonly object: KubeObject }
  /** The connection is lost; it is tried again. */
  | { readonly kind: 'lost'; readonly failure: unknown };

export interface Watching {
  readonly client: KubeClient;
  readonly choice: Choice;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const BACKOFF = { baseMs: 500, capMs: 5_000, resetAfterMs: 30_000, random: Math.random };
/** The server ends each watch after this time. */
const WATCH_SECONDS = 300;
/** The API server sends a bookmark about once a minute; a connection that is silent for longer than this is dead. */
const IDLE_MS = 90_000;

/**
 * Lists, then watches, until the signal aborts; lists again after each end and each failure of a watch, so that nothing is
 * missed when a position expires or the API server restarts. After the first list it throws nothing: a server that restarts
 * may refuse for a while. The first list throws as `KubeClient.request`.
 */
export async function* watchObjects({ client, choice, clock, signal }: Watching): AsyncGenerator<Look> {
  const backoff = new Backoff({ ...BACKOFF, clock });
  let isListed = false;
  while (!signal.aborted) {
    try {
      const { objects, resourceVersion } = await listObjects(client, choice, signal);
      isListed = true;
      yield { kind: 'all', objects };
      yield* changesFrom(resourceVersion, { client, choice, clock, signal });
    } catch (failure) {
      if (signal.aborted) return;
      if (!isListed) throw failure;
      // A position that is too old is not a trouble: the list that follows has everything.
      if (!hasCode(failure, 'WATCH_EXPIRED')) yield { kind: 'lost', failure };
    }
    // Also where the server ends each watch at once.
    await clock.sleep(backoff.nextMs(), signal).catch(() => undefined);
  }
}

async function* changesFrom(
  resourceVersion: string,
  { client, choice, signal }: Watching,
): AsyncGenerator<Look> {
  const { kind, namespace, labelSelector, fieldSelector } = choice;
  const events = client.watch({
    path: collectionPath(resourceOf(kind), namespace),
    query: {
      labelSelector,
      fieldSelector,
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(WATCH_SECONDS),
    },
    op: 'kube.watch',
    target: kind,
    idleTimeoutMs: IDLE_MS,
    signal,
  });
  for await (const { type, object } of events) {
    if (type === 'BOOKMARK' || !isKubeObject(object)) continue;
    yield { kind: type === 'DELETED' ? 'deleted' : 'changed', object };
  }
}
