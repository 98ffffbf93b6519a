import { API_VERSION } from '#src/api/group.ts';
import type { Parsed } from '#src/schema/parse.ts';
import {
  asksToBeDefault,
  type Backend,
  type ClusterSecretBackend,
} from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { BackendStatus } from '#src/api/v1alpha1/secret-backend.ts';
import type { Probe } from '#src/backends/driver.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import { serverOf } from '#src/backends/spec.ts';
import { shortened } from '#src/errors/explain.ts';
import { hasCode, isAbort, OperatorError } from '#src/errors.ts';
import { Deadline, EitherSignal } from '#src/io/deadline.ts';
import type { Clock, EventSink, Random } from '#src/ports.ts';
import type { ReconcileContext, ReconcileResult } from '#src/runtime/controller.ts';
import type { ObjectClient } from '#src/runtime/object-client.ts';
import type { StatusWriter } from '#src/runtime/status-patch.ts';
import { parseObjectKey, type ReadonlyStore } from '#src/runtime/store.ts';
import { recordedStore } from './identity.ts';
import { defaultOf, namespaceOf } from './names.ts';
import {
  isReady,
  MAX_CONDITION_MESSAGE,
  messageShown,
  readyOf,
  toConditions,
  type Statement,
} from '../conditions.ts';
import type { DriverPool } from './pool.ts';
import { isRequested, requestedProbe } from './requested.ts';
import { available, publishable, silent, unanswered, unavailable } from './statements.ts';
import { warningsOf } from './warnings.ts';
import { SlowServers, type NamedServer } from './slow-servers.ts';
import type { UnwatchedCredentials } from './unwatched-credentials.ts';
import { requireKnownFields } from '../unknown-fields.ts';

export interface BackendReconcilerOptions {
  readonly backends: ObjectClient;
  readonly kind: Backend['kind'];
  readonly parse: (object: unknown) => Parsed<Backend>;
  /** To find the default backend. */
  readonly clusterCache: ReadonlyStore<ClusterSecretBackend>;
  readonly pool: DriverPool;
  readonly credentials: Pick<UnwatchedCredentials, 'haveChanged' | 'forget'>;
  readonly writer: StatusWriter;
  readonly events: EventSink;
  /** The kinds of backend: they tell which server a backend asks. */
  readonly kinds: readonly BackendKind[];
  readonly clock: Clock;
  readonly random: Random;
  /** Whether this process tells what it found, in the status and in events; asked right before it does. Default: always. */
  readonly publishes?: (backend: Backend) => boolean;
  /** Milliseconds between two probes of a backend that is Ready and in use, with a jitter of 10 %. */
  readonly probeIntervalMs: number;
}

/** Longest probe, waits for the quota of the server and reads of credentials included. */
const PROBE_LIMIT_MS = 20_000;

/** A Ready backend that no migration uses is probed this many times less often, but at least every five minutes. */
const UNUSED = { factor: 5, atMostMs: 300_000 };

/**
 * Keeps the status of the backends of one kind up to date: builds their drivers, probes the servers, publishes their
 * capabilities.
 */
export class BackendReconciler {
  readonly #options: BackendReconcilerOptions;
  readonly #slow: SlowServers;

  constructor(options: BackendReconcilerOptions) {
    this.#options = options;
    this.#slow = new SlowServers(options.clock);
  }

  async reconcile(key: string, context: ReconcileContext): Promise<ReconcileResult> {
    const backend = await this.#read(key, context.signal);
    if (backend === undefined || backend.metadata.deletionTimestamp !== undefined) return { kind: 'done' };
    const pauseMs = this.#pauseMs(backend);
    if (pauseMs > 0 && isJudged(backend)) return { kind: 'requeue', requeueAfterMs: pauseMs };
    try {
      requireKnownFields(backend, { op: 'backend.parse', target: backend.metadata.name });
      this.#requireOneDefault(backend);
      if (pauseMs > 0) throw silent(backend, this.#serverOf(backend));
      await this.#retireIfChanged(backend, context.signal);
      const probe = await this.#probe(backend, context.signal);
      await this.#publish(backend, available(probe), probe, context.signal);
    } catch (failure) {
      // A backend that changed is probed again as what it is now.
      if (isAbort(failure, context.signal) || hasCode(failure, 'RUN_STOPPED')) throw failure;
      if (hasCode(failure, 'BACKEND_IDENTITY_CHANGED'))
        await this.#options.pool.cutOff(
          backend.metadata.uid,
          'The backend leads to another store than before.',
        );
      await this.#publish(backend, unavailable(failure), undefined, context.signal);
      throw failure;
    }
    const intervalMs = this.#intervalMs(backend.metadata.uid);
    return { kind: 'requeue', requeueAfterMs: intervalMs * (0.9 + 0.2 * this.#options.random()) };
  }

  /** A run on a backend that was not probed lately probes it first, and wakes this reconcile (`OpenBackend.probe`). */
  #intervalMs(uid: string): number {
    const { pool, probeIntervalMs } = this.#options;
    if (pool.takeUse(uid)) return probeIntervalMs;
    return Math.max(probeIntervalMs, Math.min(UNUSED.factor * probeIntervalMs, UNUSED.atMostMs));
  }

  async #read(key: string, signal: AbortSignal): Promise<Backend | undefined> {
    const object = await this.#options.backends.get(parseObjectKey(key), signal);
    if (object === undefined) this.#options.credentials.forget(this.#options.kind, key);
    const parsed = object === undefined ? undefined : this.#options.parse(object);
    if (parsed === undefined || parsed.ok) return parsed?.value;
    const detail = parsed.problems.join('; ');
    throw new OperatorError('SPEC_INVALID', { op: 'backend.parse', target: key, detail });
  }

  /** Before the driver opens: what it reads then is not older than what was compared. */
  async #retireIfChanged(backend: Backend, signal: AbortSignal): Promise<void> {
    const { credentials, pool } = this.#options;
    if (!(await credentials.haveChanged(backend, signal))) return;
    await pool.retire(backend.metadata.uid, { because: 'A Secret that the backend reads changed.' });
  }

  async #probe(backend: Backend, signal: AbortSignal): Promise<Probe> {
    const { clock, pool } = this.#options;
    const server = this.#serverOf(backend);
    using limit = Deadline.unpausable(clock, PROBE_LIMIT_MS, signal, unanswered(backend, server));
    const startedAt = clock.monotonic();
    try {
      await using lease = await pool.acquireWhole(backend);
      using probing = new EitherSignal(limit.signal, lease.retired);
      const probe = publishable(await lease.probe('now', probing.signal));
      if (server !== undefined) this.#slow.answered(server);
      return probe;
    } catch (failure) {
      if (server !== undefined && !signal.aborted && !hasCode(failure, 'RUN_STOPPED'))
        this.#slow.failed(server, clock.monotonic() - startedAt);
      throw failure;
    }
  }

  #serverOf(backend: Backend): NamedServer | undefined {
    const server = serverOf(backend.spec, this.#options.kinds);
    return server === undefined ? undefined : { server, tenant: namespaceOf(backend) ?? '' };
  }

  /**
   * Milliseconds in which this backend must not ask its server, which kept a worker before. A backend that works is asked at
   * its own rate, and one that a user has changed, or asks to probe, is asked at once.
   */
  #pauseMs(backend: Backend): number {
    // -1: it is new, and no reconcile has seen it.
    const isChanged = backend.status.observedGeneration >= 0 && !isJudged(backend);
    const server = this.#serverOf(backend);
    if (server === undefined || isChanged || isRequested(backend) || isReady(backend)) return 0;
    // One that has worked is asked again within an interval: its migrations wait for it.
    const hasWorked = backend.status.identity !== undefined;
    return this.#slow.pauseMs(server, hasWorked ? this.#options.probeIntervalMs : undefined);
  }

  /** The oldest backend stays the default: an annotation must not redirect migrations that rely on it. */
  #requireOneDefault(backend: Backend): void {
    if (!asksToBeDefault(backend)) return;
    const { name } = backend.metadata;
    const about = { op: 'backend.default', target: name };
    if (backend.kind === 'SecretBackend') {
      throw new OperatorError('DEFAULT_CONFLICT', {
        ...about,
        detail: 'Only a ClusterSecretBackend can be the default.',
        hint: 'Remove the annotation keyferry.io/is-default-backend.',
      });
    }
    const current = defaultOf(this.#options.clusterCache.values())?.metadata.name ?? name;
    if (current === name) return;
    const detail = `ClusterSecretBackend ${current} is the default.`;
    throw new OperatorError('DEFAULT_CONFLICT', { ...about, detail });
  }

  async #publish(
    backend: Backend,
    statements: readonly Statement[],
    probe: Probe | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, publishes, writer } = this.#options;
    if (publishes?.(backend) === false) return;
    const { generation } = backend.metadata;
    const { capabilities, server, identity, identityPlace, conditions = [] } = backend.status;
    const about = { generation, nowMs: clock.now() };
    const status: BackendStatus = {
      observedGeneration: generation,
      lastHandledReconcileAt: requestedProbe(backend) ?? backend.status.lastHandledReconcileAt,
      conditions: toConditions(statements, conditions, about),
      capabilities: probe === undefined ? capabilities : probe.capabilities.toSorted(),
      server: probe?.server ?? server,
      ...(probe === undefined
        ? { identity, identityPlace }
        : recordedStore(backend, probe, this.#options.kinds)),
    };
    await writer.write(backend, status, signal);
    this.#announce(backend, statements[0], probe);
  }

  #announce(backend: Backend, ready: Statement | undefined, probe: Probe | undefined): void {
    const old = readyOf(backend.status);
    const warnings = probe === undefined ? [] : warningsOf(backend.status, probe);
    for (const warning of warnings) this.#record(backend, { type: 'Warning', ...warning });
    if (ready === undefined || old?.reason === ready.reason) return;
    const type = ready.status === 'True' ? 'Normal' : 'Warning';
    const note = messageShown(ready, ready.status === 'False');
    this.#record(backend, { type, reason: ready.reason, note });
  }

  #record(
    backend: Backend,
    event: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly note: string },
  ): void {
    const { kind, metadata } = backend;
    const { name, uid } = metadata;
    const regarding = { apiVersion: API_VERSION, kind, name, namespace: namespaceOf(backend) ?? '', uid };
    this.#options.events.record({
      ...event,
      regarding,
      action: 'Probe',
      note: shortened(event.note, MAX_CONDITION_MESSAGE),
    });
  }
}

/** True when the status says how this generation of the spec fares. */
function isJudged({ metadata, status }: Backend): boolean {
  return status.observedGeneration === metadata.generation;
}
