import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { ReservedPrefix } from '#src/backends/reserved-prefix.ts';
import { ConfinedDriver } from '#src/backends/confined.ts';
import type { Driver, Probe } from '#src/backends/driver.ts';
import type { BackendDefinition, BackendRegistry } from '#src/backends/registry.ts';
import { namespaceOf, titleOf } from './backend-names.ts';
import { credentialsNamespaceOf } from './trust-root.ts';

/** A driver and what its server answered last; a driver learns its limits by it. */
interface Opened {
  readonly driver: Driver;
  probe: Probe | undefined;
  /** Nobody probes it from time to time, as the backend as a whole is: whoever borrows it has to. */
  readonly isApart: boolean;
}

/** One backend of one generation. */
interface Slot {
  readonly generation: number;
  readonly definition: BackendDefinition;
  readonly whole: Opened;
  /** Of a ClusterSecretBackend: the places of the namespaces that use it. */
  readonly tenants: Map<string, Opened>;
  users: number;
  retired: boolean;
}

/** A driver on loan; give it back with `using` or by disposing of it. */
export interface DriverLoan extends AsyncDisposable {
  readonly driver: Driver;
  /** `SecretBackend namespace/name` or `ClusterSecretBackend name`, for messages. */
  readonly title: string;
  /** Names that not every namespace may use; whoever hands the driver on sees to it. */
  readonly reservedPrefixes: readonly ReservedPrefix[];
  /** False once the backend is gone or another one than the driver was made for: its spec or credentials changed. */
  readonly isCurrent: boolean;
  /** What the server can do: asked now, or as it was found before when `known` will do. */
  probe(which: 'now' | 'known', signal: AbortSignal): Promise<Probe>;
}

export interface DriverPoolOptions {
  readonly registry: BackendRegistry;
  /** Where the Secrets and ServiceAccounts are that ClusterSecretBackends refer to. */
  readonly clusterResourceNamespace: string;
}

/**
 * One live driver per backend and generation, shared by all that use it, so that connections and logins are shared too.
 * A namespace that uses a ClusterSecretBackend gets its own place in it: a folder of a tree store, behind the shared
 * driver, or a driver of its own for a flat one. A changed or deleted backend retires its drivers; they are closed when
 * their last user is done.
 */
export class DriverPool {
  readonly #options: DriverPoolOptions;
  readonly #slots = new Map<string, Slot>();

  constructor(options: DriverPoolOptions) {
    this.#options = options;
  }

  /**
   * For the documents of one namespace; without it only to probe the backend as a whole. Throws `SPEC_INVALID` when the
   * backend's spec makes no driver.
   */
  async borrow(backend: Backend, tenant?: string): Promise<DriverLoan> {
    const { uid, generation } = backend.metadata;
    let slot = this.#slots.get(uid);
    if (slot !== undefined && slot.generation !== generation) {
      await this.retire(uid);
      slot = undefined;
    }
    if (slot === undefined) {
      slot = this.#open(backend);
      this.#slots.set(uid, slot);
    }
    const isShared = backend.kind === 'ClusterSecretBackend' && tenant !== undefined;
    return this.#lend(slot, isShared ? this.#placeOf(slot, tenant) : slot.whole);
  }

  #open(backend: Backend): Slot {
    const { clusterResourceNamespace, registry } = this.#options;
    const { kind, spec } = backend;
    const tenant = namespaceOf(backend);
    const definition: BackendDefinition = {
      title: titleOf({ kind, name: backend.metadata.name, namespace: tenant ?? '' }),
      spec,
      credentialsNamespace: credentialsNamespaceOf(backend, clusterResourceNamespace),
      tenant,
    };
    return {
      generation: backend.metadata.generation,
      definition,
      whole: { driver: registry.create(definition), probe: undefined, isApart: false },
      tenants: new Map(),
      users: 0,
      retired: false,
    };
  }

  #placeOf(slot: Slot, tenant: string): Opened {
    let place = slot.tenants.get(tenant);
    if (place === undefined) {
      const { driver } = slot.whole;
      const isTree = driver.traits.addressing === 'tree';
      const own = isTree
        ? new ConfinedDriver(driver, tenant)
        : this.#options.registry.create({ ...slot.definition, tenant });
      place = { driver: own, probe: undefined, isApart: !isTree };
      slot.tenants.set(tenant, place);
    }
    return place;
  }

  #lend(slot: Slot, opened: Opened): DriverLoan {
    slot.users += 1;
    let returned = false;
    return {
      driver: opened.driver,
      title: slot.definition.title,
      reservedPrefixes: slot.definition.spec.reservedPrefixes ?? [],
      get isCurrent() {
        return !slot.retired;
      },
      probe: async (which, signal) => {
        const isKnown = which === 'known' && !opened.isApart;
        if (!isKnown || opened.probe === undefined) opened.probe = await opened.driver.probe(signal);
        return opened.probe;
      },
      [Symbol.asyncDispose]: async () => {
        if (returned) return;
        returned = true;
        slot.users -= 1;
        if (slot.retired && slot.users === 0) await close(slot);
      },
    };
  }

  /** Takes the drivers of a backend out of service: its spec or credentials changed, or it is gone. */
  async retire(uid: string): Promise<void> {
    const slot = this.#slots.get(uid);
    if (slot === undefined) return;
    this.#slots.delete(uid);
    slot.retired = true;
    if (slot.users === 0) await close(slot);
  }

  /** Retires every driver: shutdown. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#slots.keys()].map((uid) => this.retire(uid)));
  }
}

async function close({ tenants, whole }: Slot): Promise<void> {
  for (const { driver } of [...tenants.values(), whole]) await driver[Symbol.asyncDispose]();
}
