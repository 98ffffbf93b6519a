import { closed } from '#src/errors/closed.ts';
import { OperatorError } from '#src/errors.ts';
import type { AccessLog, Accessor } from '#src/ports.ts';
import type { Driver, Probe } from './driver.ts';
import { audit } from './layers/audit.ts';
import { bounded } from './layers/bounded.ts';
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

  constructor(factories: readonly BackendFactory[], layers: LayerOptions) {
    this.#factories = new Map(factories.map((factory) => [factory.kind, factory]));
    this.#layers = layers;
  }

  /**
   * `judge`: why a store that a probe found must not be used, or undefined. Does no I/O. Throws `SPEC_INVALID` when the spec
   * is not valid.
   */
  open(definition: BackendDefinition, judge: Judge = () => undefined): OpenBackend {
    const factory = this.#factories.get(definition.spec.type);
    if (factory === undefined) {
      throw new OperatorError('SPEC_INVALID', {
        op: 'backend.create',
        target: definition.title,
        detail: `spec.type ${definition.spec.type} is not known to this version.`,
      });
    }
    return new OpenBackend(definition, { factory, layers: this.#layers, judge });
  }
}

/** Why the store that this probe found must not be used, or undefined. */
export type Judge = (probe: Probe) => OperatorError | undefined;

/** A guarded driver with the result of its last probe, from which it also learns its limits. */
interface ProbedDriver {
  readonly driver: Driver;
  lastProbe: Probe | undefined;
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
  readonly #judge: Judge;
  readonly #shared: ProbedDriver;
  readonly #tenants = new Map<string, ProbedDriver>();
  #closing: Promise<void> | undefined;

  constructor(
    definition: BackendDefinition,
    {
      factory,
      layers,
      judge,
    }: { readonly factory: BackendFactory; readonly layers: LayerOptions; readonly judge: Judge },
  ) {
    this.definition = definition;
    this.#factory = factory;
    this.#layers = layers;
    this.#judge = judge;
    this.#shared = { driver: this.#create(definition), lastProbe: undefined, probesAlone: false };
  }

  /**
   * The driver with which a migration reads and changes the documents of its namespace. Its layers, from the store
   * outwards: bounded, guarded, confined to the tenant, without reserved names, audited, lent. Audit is around all that can refuse
   * a name, so that it records that too. Disposing of the driver gives it back and closes nothing: the backend owns the
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
   * `known` accepts the last result, except for a driver that only this namespace uses. Throws what the driver throws, and
   * what the judge of the whole backend returns.
   */
  async probe(which: 'now' | 'known', signal: AbortSignal, namespace?: string): Promise<Probe> {
    this.#requireOpen();
    const probed = namespace === undefined ? this.#shared : this.#tenantDriver(namespace);
    const acceptsLast = which === 'known' && !probed.probesAlone;
    if (acceptsLast && probed.lastProbe !== undefined) return probed.lastProbe;
    const probe = await probed.driver.probe(signal);
    const refusal = probed.probesAlone ? undefined : this.#judge(probe);
    if (refusal !== undefined) throw refusal;
    probed.lastProbe = probe;
    return probe;
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw closed({ op: 'backend.use', target: this.definition.title });
  }

  #create(definition: BackendDefinition): Driver {
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
    if (driver.traits.addressing === 'tree')
      return { driver: confine(driver, tenant), lastProbe: undefined, probesAlone: false };
    return {
      driver: this.#create({ ...this.definition, tenant }),
      lastProbe: undefined,
      probesAlone: true,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    for (const { driver } of [...this.#tenants.values(), this.#shared]) await driver[Symbol.asyncDispose]();
  }
}
