import type { ReservedPrefix, SecretBackend } from '#src/api/v1alpha1/secret-backend.ts';
import type { BackendDriver, Probe } from '#src/backends/driver.ts';
import type { BackendRegistry } from '#src/backends/registry.ts';

interface Slot {
  readonly generation: number;
  readonly driver: BackendDriver;
  readonly reservedPrefixes: readonly ReservedPrefix[];
  users: number;
  retired: boolean;
  /** What the server answered last; a driver learns its limits by it. */
  probe: Probe | undefined;
}

/** A driver on loan; give it back with `using` or by disposing of it. */
export interface DriverLoan extends AsyncDisposable {
  readonly driver: BackendDriver;
  /** Names that not every namespace may use; whoever hands the driver on sees to it. */
  readonly reservedPrefixes: readonly ReservedPrefix[];
  /** False once the backend is gone or another one than the driver was made for: its spec or credentials changed. */
  readonly isCurrent: boolean;
  /** What the server can do: asked now, or as it was found before when `known` will do. */
  probe(which: 'now' | 'known', signal: AbortSignal): Promise<Probe>;
}

/**
 * One live driver per SecretBackend and generation, shared by all that use it, so that connections and logins are
 * shared too. A changed or deleted backend retires its driver; it is closed when its last user is done.
 */
export class DriverPool {
  readonly #registry: BackendRegistry;
  readonly #slots = new Map<string, Slot>();

  constructor(registry: BackendRegistry) {
    this.#registry = registry;
  }

  /** Throws `SPEC_INVALID` when the backend's spec makes no driver. */
  async borrow(backend: SecretBackend): Promise<DriverLoan> {
    const { uid, generation, namespace, name } = backend.metadata;
    let slot = this.#slots.get(uid);
    if (slot !== undefined && slot.generation !== generation) {
      await this.retire(uid);
      slot = undefined;
    }
    if (slot === undefined) {
      const driver = this.#registry.create({ namespace, name, spec: backend.spec });
      const { reservedPrefixes = [] } = backend.spec;
      slot = { generation, driver, reservedPrefixes, users: 0, retired: false, probe: undefined };
      this.#slots.set(uid, slot);
    }
    return this.#lend(slot);
  }

  #lend(slot: Slot): DriverLoan {
    slot.users += 1;
    let returned = false;
    return {
      driver: slot.driver,
      reservedPrefixes: slot.reservedPrefixes,
      get isCurrent() {
        return !slot.retired;
      },
      probe: async (which, signal) => {
        if (which === 'now' || slot.probe === undefined) slot.probe = await slot.driver.probe(signal);
        return slot.probe;
      },
      [Symbol.asyncDispose]: async () => {
        if (returned) return;
        returned = true;
        slot.users -= 1;
        if (slot.retired && slot.users === 0) await slot.driver[Symbol.asyncDispose]();
      },
    };
  }

  /** Takes the driver of a backend out of service: its spec or credentials changed, or it is gone. */
  async retire(uid: string): Promise<void> {
    const slot = this.#slots.get(uid);
    if (slot === undefined) return;
    this.#slots.delete(uid);
    slot.retired = true;
    if (slot.users === 0) await slot.driver[Symbol.asyncDispose]();
  }

  /** Retires every driver: shutdown. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#slots.keys()].map((uid) => this.retire(uid)));
  }
}
