import { API_VERSION } from '#src/api/group.ts';
import { parseSecretBackend, type SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import { MemoryDriver } from '#src/backends/memory/driver.ts';
import { MemoryStore } from '#src/backends/memory/store.ts';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';
import { BackendRegistry } from '#src/backends/registry.ts';
import { DriverPool } from '#src/controllers/backend/pool.ts';
import { createQueues } from '#src/controllers/queues.ts';
import { createPollController } from '#src/controllers/sync/controller.ts';
import type { Followed } from '#src/controllers/sync/followed.ts';
import { Following } from '#src/controllers/sync/following.ts';
import type { Pass } from '#src/controllers/sync/passes.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { OperatorError } from '#src/errors.ts';
import { NO_TRACES } from '#src/io/no-traces.ts';
import type { Controller } from '#src/runtime/controller.ts';
import { Store, type CachedObject } from '#src/runtime/store.ts';
import { aSyncMigration, intentOf, type FollowedSpec } from './followed.ts';
import { ManualClock, settle } from './manual-clock.ts';
import { RecordedLog, RecordedMetrics } from './recorded.ts';

const SPECS = {
  kubernetes: { type: 'kubernetes', kubernetes: {} },
  bao: {
    type: 'openbao',
    openbao: {
      address: 'https://bao:8200',
      mount: 'secret',
      auth: { token: { secretRef: { name: 'bao-token' } } },
    },
  },
} as const;
type BackendName = keyof typeof SPECS;

/** A backend with the verdict of its probe. */
export function aReadyBackend(
  name: BackendName,
  namespace: string,
  ready: 'True' | 'False' = 'True',
): SecretBackend {
  const condition = {
    type: 'Ready',
    status: ready,
    reason: 'Available',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
    observedGeneration: 1,
  };
  const parsed = parseSecretBackend({
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name, namespace, uid: `${namespace} ${name}`, generation: 1, resourceVersion: '1' },
    spec: SPECS[name],
    status: { observedGeneration: 1, conditions: [condition] },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

/** The metadata of a Secret, as the watch has it. */
export function aWatchedSecret(name: string, resourceVersion: string, rest: object = {}): CachedObject {
  return { metadata: { name, namespace: 'ns', uid: `uid-${name}`, resourceVersion, labels: {}, ...rest } };
}

export interface SyncRigOptions {
  /** Default: Secrets are watched. */
  readonly watchesSecrets?: boolean;
  /** Default: always 0.5. */
  readonly random?: () => number;
}

/**
 * Migrations that are kept in step between Secrets and a KV store, both in memory, with the watch and the polls around them and
 * without an engine. Each namespace has the backends `kubernetes` and `bao`.
 */
export class SyncRig implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly metrics = new RecordedMetrics();
  readonly following: Following;
  /** What is at `bao`, for all namespaces. */
  readonly kv = new MemoryStore({ name: 'bao', clock: this.clock });
  readonly secrets = new MemoryStore({ name: 'kubernetes', addressing: 'flat', clock: this.clock });
  /** Keys of migrations that were woken, in order. */
  readonly woken: string[] = [];
  /** Requests to the stores: `bao versions ns`. */
  readonly requests: string[] = [];
  /** Thrown by each request to `bao`. */
  failure: OperatorError | undefined;
  readonly #watched = new Map<string, CachedObject>();
  #pass: Pass | undefined;
  readonly #backends = new Store<SecretBackend>();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor({ random = () => 0.5, watchesSecrets = true }: SyncRigOptions = {}) {
    const { clock, metrics } = this;
    const queues = createQueues({ concurrentMigrations: 4, probeIntervalSeconds: 60, clock, metrics });
    const wake = (key: string): void => void this.woken.push(key);
    const { polls } = queues;
    const told = { watchesSecrets, polls, wake };
    this.following = new Following({ clock, random, metrics, kinds: BACKEND_KINDS, ...told });
    this.#done = this.#controller({ random, wake, queue: polls }).run(this.#stop.signal);
  }

  #controller({
    queue,
    random,
    wake,
  }: {
    readonly random: () => number;
    readonly wake: (key: string) => void;
    readonly queue: ReturnType<typeof createQueues>['polls'];
  }): Controller {
    const { clock, following, metrics } = this;
    const backends = { cache: this.#backends, clusterCache: new Store<never>() };
    const parts = { following, backends, pool: this.#pool(random), clock, random, wake };
    const told = { logger: new RecordedLog(), metrics, tracer: NO_TRACES };
    return createPollController(parts, { queue, graceMs: 0, ...told });
  }

  #pool(random: () => number): DriverPool {
    const { clock, metrics } = this;
    const driverOf = (name: BackendName, store: MemoryStore) => () => {
      const before = async ({
        address,
        operation,
      }: {
        readonly address: string;
        readonly operation: string;
      }) => {
        this.requests.push(`${name} ${operation} ${address}`);
        if (name === 'bao' && operation !== 'probe' && this.failure !== undefined) throw this.failure;
        return Promise.resolve();
      };
      return new MemoryDriver({ store, hooks: { before } });
    };
    const factories = [
      { kind: 'kubernetes', create: driverOf('kubernetes', this.secrets) },
      { kind: 'openbao', create: driverOf('bao', this.kv) },
    ];
    const guard = { clock, random, metrics, deadlineMs: 1_000 };
    return new DriverPool({
      registry: new BackendRegistry(factories, { guard }),
      clusterResourceNamespace: 'keyferry',
      closedNamespaces: [],
      kinds: BACKEND_KINDS,
    });
  }

  /** As after a pass over a migration of these documents. */
  begin(
    outcomes: Iterable<Outcome> = [],
    spec: FollowedSpec = {},
    metadata: Parameters<typeof aSyncMigration>[1] = {},
  ): Followed {
    const migration = aSyncMigration(spec, metadata);
    const { namespace } = migration.metadata;
    this.setReady(namespace, 'True');
    const flatOrTree = (name: string | undefined) => (name === 'kubernetes' ? 'flat' : 'tree');
    const { destination, source } = migration.spec;
    const intent = intentOf(migration, {
      source: flatOrTree(source.backendRef?.name),
      destination: flatOrTree(destination.backendRef?.name),
    });
    const backendOf = (name: string | undefined) =>
      aReadyBackend(name === 'kubernetes' ? 'kubernetes' : 'bao', namespace);
    const backends = {
      source: backendOf(source.backendRef?.name),
      destination: backendOf(destination.backendRef?.name),
    };
    using pass = this.#pass ?? this.following.beginPass(migration);
    this.#pass = undefined;
    return this.following.begin(migration, { backends, intent, outcomes, pass });
  }

  /** The pass whose end is the next `begin` begins now. */
  beginPass(): void {
    this.#pass = this.following.beginPass(aSyncMigration());
  }

  /** What the probes of the backends of a namespace found. */
  setReady(namespace: string, ready: 'True' | 'False'): void {
    for (const name of ['kubernetes', 'bao'] as const)
      this.#backends.set(aReadyBackend(name, namespace, ready));
  }

  /** The watch tells of a Secret. */
  secretChanged(current: CachedObject): void {
    this.#watched.set(current.metadata.name, current);
    this.following.onSecret(current, true);
  }

  secretDeleted(name: string): void {
    const last = this.#watched.get(name);
    if (last !== undefined) this.following.onSecret(last, false);
  }

  /** The requests of the next `ms`. */
  async requestsIn(ms: number): Promise<readonly string[]> {
    this.requests.length = 0;
    await this.clock.advance(ms);
    return [...this.requests];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await settle();
    await this.#done;
  }
}
