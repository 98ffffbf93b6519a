import { OperatorError } from '#src/errors.ts';
import type { AccessLog, Accessor } from '#src/ports.ts';
import type { Driver, Probe } from './driver.ts';
import { audit } from './layers/audit.ts';
import { confine } from './layers/confine.ts';
import { guard, type GuardOptions } from './layers/guard.ts';
import { withoutReserved } from './layers/reserved.ts';
import type { BackendDefinition, BackendFactory } from './factory.ts';

export interface LayerOptions {
  readonly guard: GuardOptions;
  /** Undefined: nothing is recorded. */
  readonly accessLog?: AccessLog | undefined;
}

/** The closed, explicit map from `spec.type` to its factory; src/app fills it, nothing registers itself. */
export class BackendRegistry {
  readonly #factories: ReadonlyMap<string, BackendFactory>;
  readonly #layers: LayerOptions;

  constructor(factories: readonly BackendFactory[], layers: LayerOptions) {
    this.#factories = new Map(factories.map((factory) => [factory.kind, factory]));
    this.#layers = layers;
  }

  /** Does no I/O. Throws `SPEC_INVALID` when the spec makes no driver. */
  open(definition: BackendDefinition): OpenBackend {
    const factory = this.#factories.get(definition.spec.type);
    if (factory === undefined) {
      throw new OperatorError('SPEC_INVALID', {
        op: 'backend.create',
        target: definition.title,
        detail: `spec.type ${definition.spec.type} is not known to this version.`,
      });
    }
    return new OpenBackend(definition, factory, this.#layers);
  }
}

/** The guarded driver of one place in a backend, and what its server answered last; a driver learns its limits by it. */
interface Place {
  readonly driver: Driver;
  lastProbe: Probe | undefined;
  /** No reconcile of the backend probes it, as the backend as a whole is: its user has to. */
  readonly isApart: boolean;
}

/**
 * One backend with its live drivers. A SecretBackend has one driver. A namespace that uses a ClusterSecretBackend gets
 * its own place in it: a folder of a tree store, behind the shared driver, or a driver of its own for a flat one.
 * Disposing of it closes them all.
 */
export class OpenBackend implements AsyncDisposable {
  readonly definition: BackendDefinition;
  readonly #factory: BackendFactory;
  readonly #layers: LayerOptions;
  readonly #whole: Place;
  readonly #tenants = new Map<string, Place>();

  constructor(definition: BackendDefinition, factory: BackendFactory, layers: LayerOptions) {
    this.definition = definition;
    this.#factory = factory;
    this.#layers = layers;
    this.#whole = { driver: this.#create(definition), lastProbe: undefined, isApart: false };
  }

  /**
   * The driver with which a migration works on the documents of its namespace: from the store outwards guarded, confined
   * to its place, without the names that are reserved for others, and audited, so that a refused name is recorded too.
   * Disposing of it closes nothing. Throws `SPEC_INVALID` when the spec makes no driver for this namespace.
   */
  for(namespace: string, accessor: Accessor): Driver {
    const { driver } = this.#placeOf(namespace);
    const allowed = withoutReserved(driver, this.definition.spec.reservedPrefixes ?? [], namespace);
    const { accessLog } = this.#layers;
    return accessLog === undefined ? allowed : audit(allowed, accessLog, accessor);
  }

  /**
   * What the server can do for this namespace, or without one for the backend as a whole: asked now, or as it was found
   * before when `known` will do.
   */
  async probe(which: 'now' | 'known', signal: AbortSignal, namespace?: string): Promise<Probe> {
    const place = namespace === undefined ? this.#whole : this.#placeOf(namespace);
    const isKnown = which === 'known' && !place.isApart;
    if (!isKnown || place.lastProbe === undefined) place.lastProbe = await place.driver.probe(signal);
    return place.lastProbe;
  }

  #create(definition: BackendDefinition): Driver {
    return guard(this.#factory.create(definition), this.#layers.guard);
  }

  #placeOf(namespace: string): Place {
    if (this.definition.tenant !== undefined) return this.#whole;
    let place = this.#tenants.get(namespace);
    if (place === undefined) {
      place = this.#openPlace(namespace);
      this.#tenants.set(namespace, place);
    }
    return place;
  }

  #openPlace(tenant: string): Place {
    const { driver } = this.#whole;
    if (driver.traits.addressing === 'tree')
      return { driver: confine(driver, tenant), lastProbe: undefined, isApart: false };
    return {
      driver: this.#create({ ...this.definition, tenant }),
      lastProbe: undefined,
      isApart: true,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { driver } of [...this.#tenants.values(), this.#whole]) await driver[Symbol.asyncDispose]();
  }
}
