import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { Driver, Probe } from '#src/backends/driver.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import type { BackendRegistry, OpenBackend, Owner } from '#src/backends/registry.ts';
import { closed } from '#src/errors/closed.ts';
import { stopped } from '#src/errors/stopped.ts';
import { OperatorError } from '#src/errors.ts';
import type { Accessor } from '#src/ports.ts';
import { changedStore } from './identity.ts';
import { isLent, revoke, type Slot, type User } from './slot.ts';
import { namespaceOf, titleOf } from './names.ts';
import { credentialsNamespaceOf } from './trust-root.ts';

/** Why and for whom a backend goes out of service. */
export interface Retirement {
  /** One sentence. */
  readonly because: string;
  /** Only drivers of an earlier generation. Default: all. */
  readonly before?: number;
  /** The namespaces that may still use it: leases of all others refuse work at once. Default: all. */
  readonly mayUse?: (namespace: string) => boolean;
}

/** The use of a backend until it is released, with `using` or by disposing of it. */
export interface BackendLease extends AsyncDisposable {
  /** `SecretBackend namespace/name` or `ClusterSecretBackend name`, for messages. */
  readonly title: string;
  /** Aborts when the backend is gone or its spec or credentials changed, with `RUN_STOPPED`. */
  readonly retired: AbortSignal;
  /** Aborts in the same way when the namespace may no longer use the backend: from then on the lease refuses work. */
  readonly revoked: AbortSignal;
  /** What the server can do: asked now, or as it was found before when `known` will do. */
  probe(which: 'now' | 'known', signal: AbortSignal): Promise<Probe>;
}

/** A backend as one migration uses it. */
export interface DriverLease extends BackendLease {
  /** For the documents of the migration's namespace, with every layer around it. */
  readonly driver: Driver;
}

export interface DriverPoolOptions {
  readonly registry: BackendRegistry;
  /** Where the Secrets and ServiceAccounts are that ClusterSecretBackends refer to. */
  readonly clusterResourceNamespace: string;
  /** Where no SecretBackend is used: the Secrets and ServiceAccounts there are the operator's own. */
  readonly closedNamespaces: readonly string[];
  /** The kinds of backend: they tell which place a spec names. */
  readonly kinds: readonly BackendKind[];
}

/**
 * Each backend is open once a generation, shared by all that use it, so that connections and logins are shared too. A
 * changed or deleted backend is retired, and closed when its last lease is released. A lease that was released refuses
 * work; a pool that was disposed of closes every backend, in use or not, and opens none again: both throw
 * `BACKEND_NOT_READY`.
 */
export class DriverPool {
  readonly #options: DriverPoolOptions;
  /** The slots that are not retired, by the uid of their backend. */
  readonly #slots = new Map<string, Slot>();
  /** All that are open: retired ones have users still. */
  readonly #open = new Set<Slot>();
  #isClosed = false;
  #onDoubt: (backend: Backend) => void = () => undefined;

  constructor(options: DriverPoolOptions) {
    this.#options = options;
  }

  /** `probe` is called when a request through a backend failed in a way that can concern all of it. */
  onDoubt(probe: (backend: Backend) => void): void {
    this.#onDoubt = probe;
  }

  /**
   * For the documents of a migration's namespace. Throws `SPEC_INVALID` when the backend's spec makes no driver, and
   * `CREDENTIALS_FORBIDDEN` for a SecretBackend in a closed namespace.
   */
  async acquire(backend: Backend, migration: Accessor['migration']): Promise<DriverLease> {
    await this.#retireOthers(backend);
    const slot = this.#slotOf(backend);
    slot.wasLent = true;
    const driver = slot.backend.for(migration.namespace, {
      migration,
      backend: referenceTo(backend),
    });
    const lease = this.#lease(slot, { namespace: migration.namespace, driver });
    return Object.assign(lease, { driver });
  }

  /** True if a migration uses the backend, or did since the last question. */
  takeUse(uid: string): boolean {
    const slot = this.#slots.get(uid);
    if (slot === undefined) return false;
    const { wasLent } = slot;
    slot.wasLent = isLent(slot);
    return wasLent;
  }

  /** Only to probe the backend as a whole. Throws as `acquire` does. */
  async acquireWhole(backend: Backend): Promise<BackendLease> {
    await this.#retireOthers(backend);
    return this.#lease(this.#slotOf(backend));
  }

  /** Another caller may open another generation meanwhile. */
  async #retireOthers({ metadata: { uid, generation } }: Backend): Promise<void> {
    while ((this.#slots.get(uid)?.generation ?? generation) !== generation)
      await this.retire(uid, { because: SPEC_CHANGED });
  }

  /** Synchronous up to the lease: a slot without users may be closed at any other moment. */
  #slotOf(backend: Backend): Slot {
    if (this.#isClosed) throw closed({ op: 'backend.acquire', target: titleOfBackend(backend) });
    const { uid, generation } = backend.metadata;
    let slot = this.#slots.get(uid);
    if (slot === undefined) {
      const opened = this.#openBackend(backend, {
        refusalOf: (probe) => changedStore(slot?.latest ?? backend, probe, this.#options.kinds),
        onDoubt: () => this.#onDoubt(slot?.latest ?? backend),
      });
      const unused = { users: new Set<User>(), wasLent: false, retired: false };
      slot = { uid, generation, latest: backend, backend: opened, ...unused };
      this.#slots.set(uid, slot);
      this.#open.add(slot);
    }
    slot.latest = backend;
    return slot;
  }

  #openBackend(backend: Backend, owner: Owner): OpenBackend {
    const { closedNamespaces, clusterResourceNamespace, registry } = this.#options;
    const namespace = namespaceOf(backend);
    if (namespace !== undefined && closedNamespaces.includes(namespace)) throw isInClosedNamespace(backend);
    const definition = {
      title: titleOfBackend(backend),
      backend: referenceTo(backend),
      spec: backend.spec,
      credentialsNamespace: credentialsNamespaceOf(backend, clusterResourceNamespace),
      tenant: namespace,
    };
    return registry.open(definition, owner);
  }

  #lease(slot: Slot, lent?: User['lent']): BackendLease {
    const user: User = { lent, retired: new AbortController(), revoked: new AbortController() };
    slot.users.add(user);
    let released = false;
    const { backend } = slot;
    const { title } = backend.definition;
    return {
      title,
      retired: user.retired.signal,
      revoked: user.revoked.signal,
      probe: async (which, signal) => {
        if (released || user.revoked.signal.aborted) throw closed({ op: 'backend.probe', target: title });
        return backend.probe(which, signal, lent?.namespace);
      },
      [Symbol.asyncDispose]: async () => {
        if (released) return;
        released = true;
        slot.users.delete(user);
        await lent?.driver[Symbol.asyncDispose]();
        await this.#closeUnused(slot);
      },
    };
  }

  /** Takes the drivers of a backend out of service: its spec or credentials changed, or it is gone. */
  async retire(uid: string, { because, before, mayUse }: Retirement): Promise<void> {
    for (const slot of this.#open)
      if (slot.uid === uid && mayUse !== undefined) await revoke(slot, mayUse, WITHDRAWN);
    const slot = this.#slots.get(uid);
    if (slot === undefined || (before !== undefined && slot.generation >= before)) return;
    this.#slots.delete(uid);
    slot.retired = true;
    for (const { retired } of slot.users) retired.abort(stopped(because));
    await this.#closeUnused(slot);
  }

  /** From now on no lease of a migration does anything, not even complete what was sent: another store would get it. */
  async cutOff(uid: string, because: string): Promise<void> {
    const inUse = [...this.#open].filter((slot) => slot.uid === uid && isLent(slot));
    for (const slot of inUse) await revoke(slot, () => false, because);
    if (inUse.length > 0) await this.retire(uid, { because });
  }

  async #closeUnused(slot: Slot): Promise<void> {
    if (slot.retired && slot.users.size === 0) await this.#close(slot);
  }

  async #close(slot: Slot): Promise<void> {
    slot.retired = true;
    for (const { retired } of slot.users) retired.abort(stopped('The operator ends.'));
    this.#open.delete(slot);
    await slot.backend[Symbol.asyncDispose]();
  }

  /** Shutdown. A user that is left did not stop in time. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#slots.clear();
    await Promise.all([...this.#open].map((slot) => this.#close(slot)));
  }
}

/** The reason for all that used a backend before its spec changed. */
export const SPEC_CHANGED = 'The spec of the backend changed.';
const WITHDRAWN = 'The namespace may no longer use the backend.';

function titleOfBackend(backend: Backend): string {
  const { kind, metadata } = backend;
  return titleOf({ kind, name: metadata.name, namespace: namespaceOf(backend) ?? '' });
}

function isInClosedNamespace(backend: Backend): OperatorError {
  return new OperatorError('CREDENTIALS_FORBIDDEN', {
    op: 'backend.create',
    target: titleOfBackend(backend),
    detail: 'The Secrets and ServiceAccounts of this namespace are those of the operator.',
    hint: 'Create the backend in another namespace, or run the operator with --allow-backends-in-own-namespace.',
  });
}

function referenceTo(backend: Backend): Accessor['backend'] {
  return { kind: backend.kind, namespace: namespaceOf(backend), name: backend.metadata.name };
}
