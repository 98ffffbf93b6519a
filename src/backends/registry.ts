import { closed } from '#src/errors/closed.ts';
import { OperatorError } from '#src/errors.ts';
import type { AccessLog, Accessor } from '#src/ports.ts';
import { Circuit } from './circuit.ts';
import type { Driver, Probe } from './driver.ts';
import { audit } from './layers/audit.ts';
import { bounded } from './layers/bounded.ts';
import { withCircuit } from './layers/circuit.ts';
import { confine } from './layers/confine.ts';
import { guard, type GuardOptions } from './layers/guard.ts';
import { lent } from './layers/lent.ts';
import { withoutReserved } from './layers/reserved.ts';
import type { BackendDefinition, BackendFactory } from './factory.ts';

export interface LayerOptions {
  readonly guard: GuardOptions;
  /** Undefined: nothing is recorded. */
  readonly accessLog?: AccessLog | undefined;
}

/** The closed, explicit map from `spec.type` to its factory. src/app fills it; factories do not register themselves. */
export class BackendRegistry {
  readonly #factories: ReadonlyMap<string, BackendFactory>;
  readonly #layers: LayerOptions;
  readonly #knownForMs: number;

  /** `knownForMs`: how old a probe may be that a run takes for granted; default: of any age. */
  constructor(
    factories: readonly BackendFactory[],
    layers: LayerOptions,
    { knownForMs = Infinity }: { readonly knownForMs?: number | undefined } = {},
  ) {
    this.#factories = new Map(factories.map((factory) => [factory.kind, factory]));
    this.#layers = layers;
    this.#knownForMs = knownForMs;
  }

  /** Does no I/O. Throws `SPEC_INVALID` when the spec is not valid. */
  open(definition: BackendDefinition, owner: Owner = ALONE): OpenBackend {
    const factory = this.#factories.get(definition.spec.type);
    if (factory === undefined) {
      throw new OperatorError('SPEC_INVALID', {
        op: 'backend.create',
        target: definition.title,
        detail: `spec.type ${definition.spec.type} is not known to this version.`,
      });
    }
    const knownForMs = this.#knownForMs;
    return new OpenBackend(definition, { factory, layers: this.#layers, owner, knownForMs });
  }
}

/** The owner of an open backend. */
export interface Owner {
  /** Why the store that this probe found must not be used, or undefined. */
  readonly refusalOf: (probe: Probe) => OperatorError | undefined;
  /** A request failed in a way that can concern the whole backend, or its last probe is too old, and the server is asked. */
  readonly onDoubt: () => void;
}

const ALONE: Owner = { refusalOf: () => undefined, onDoubt: () => undefined };

/** A guarded driver; from its probe it also learns its limits. */
interface ProbedDriver {
  readonly driver: Driver;
  /** True for a driver of one tenant: the reconcile of the backend does not probe it, so each use does. */
  readonly probesAlone: boolean;
}

/**
 * One backend with its open drivers. A SecretBackend has one driver. In a ClusterSecretBackend each namespace (tenant)
 * gets a folder of a tree store, through the shared driver, or its own driver for a flat store. Disposing of the
 * backend closes all drivers; from then on it refuses all work with `BACKEND_NOT_READY`, also through what it lent.
 */
export class OpenBackend implements AsyncDisposable {
  readonly definition: BackendDefinition;
  readonly #factory: BackendFactory;
  readonly #layers: LayerOptions;
  readonly #circuit: Circuit;
  readonly #shared: ProbedDriver;
  readonly #owner: Owner;
  readonly #knownForMs: number;
  /** `at` in monotonic milliseconds. */
  #last: { readonly probe: Probe; readonly at: number } | undefined;
  readonly #tenants = new Map<string, ProbedDriver>();
  #closing: Promise<void> | undefined;

  constructor(
    definition: BackendDefinition,
    {
      factory,
      layers,
      owner,
      knownForMs,
    }: {
      readonly factory: BackendFactory;
      readonly layers: LayerOptions;
      readonly owner: Owner;
      readonly knownForMs: number;
    },
  ) {
    this.definition = definition;
    this.#factory = factory;
    this.#layers = layers;
    this.#owner = owner;
    this.#knownForMs = knownForMs;
    const driver = this.#guarded(definition);
    this.#circuit = new Circuit({
      clock: layers.guard.clock,
      title: definition.title,
      isSlowedDown: () => driver.acceptedPerSecond?.() !== undefined,
      ask: async (signal) => {
        const probe = await driver.probe(signal);
        const refusal = owner.refusalOf(probe);
        if (refusal !== undefined) throw refusal;
        this.#last = { probe, at: layers.guard.clock.monotonic() };
        return probe;
      },
      onDoubt: owner.onDoubt,
    });
    const shared = withCircuit(driver, { circuit: this.#circuit, probes: 'backend' });
    this.#shared = { driver: shared, probesAlone: false };
  }

  /**
   * The driver with which a migration reads and changes the documents of its namespace. Its layers, from the store
   * outwards: bounded, guarded, with the circuit of the backend, confined to the tenant, without reserved names, audited,
   * lent. Audit is around all that can refuse a name, so that it records that too. Disposing of the driver gives it back and closes nothing: the backend owns the
   * connection. Throws `SPEC_INVALID` when the spec is not valid for this namespace.
   */
  for(namespace: string, accessor: Accessor): Driver {
    this.#requireOpen();
    const { driver } = this.#tenantDriver(namespace);
    const allowed = withoutReserved(driver, this.definition.spec.reservedPrefixes ?? [], namespace);
    const { accessLog } = this.#layers;
    const audited = accessLog === undefined ? allowed : audit(allowed, accessLog, accessor);
    return lent(audited, () => this.#closing !== undefined);
  }

  /**
   * What the server can do for this namespace or, without a namespace, for the whole backend. `now` asks the server;
   * `known` accepts the last result, unless it is too old, and except for a driver that only this namespace uses. Throws what
   * the driver throws, and what the owner refuses; `BACKEND_NOT_READY` while the circuit is open.
   */
  async probe(which: 'now' | 'known', signal: AbortSignal, namespace?: string): Promise<Probe> {
    this.#requireOpen();
    const probed = namespace === undefined ? this.#shared : this.#tenantDriver(namespace);
    const known = which === 'known' ? this.#known() : undefined;
    if (!probed.probesAlone && known === undefined) return this.#circuit.probe(signal);
    this.#circuit.requireNotOpen();
    return probed.probesAlone || known === undefined ? probed.driver.probe(signal) : known;
  }

  /** The last result. The owner, who has not asked for long, does so too: the status shows what is found. */
  #known(): Probe | undefined {
    if (this.#last === undefined) return undefined;
    const { probe, at } = this.#last;
    if (this.#layers.guard.clock.monotonic() - at <= this.#knownForMs) return probe;
    this.#owner.onDoubt();
    return undefined;
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw closed({ op: 'backend.use', target: this.definition.title });
  }

  #guarded(definition: BackendDefinition): Driver {
    const driver = bounded(this.#factory.create(definition), this.#layers.guard);
    return guard(driver, this.#layers.guard);
  }

  #tenantDriver(namespace: string): ProbedDriver {
    if (this.definition.tenant !== undefined) return this.#shared;
    let opened = this.#tenants.get(namespace);
    if (opened === undefined) {
      opened = this.#openTenant(namespace);
      this.#tenants.set(namespace, opened);
    }
    return opened;
  }

  #openTenant(tenant: string): ProbedDriver {
    const { driver } = this.#shared;
    if (driver.traits.addressing === 'tree') return { driver: confine(driver, tenant), probesAlone: false };
    return {
      driver: withCircuit(this.#guarded({ ...this.definition, tenant }), {
        circuit: this.#circuit,
        probes: 'namespace',
      }),
      probesAlone: true,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#circuit[Symbol.dispose]();
    for (const { driver } of [...this.#tenants.values(), this.#shared]) await driver[Symbol.asyncDispose]();
  }
}
