import type { Driver } from './driver.ts';
import { OperatorError } from '#src/errors.ts';
import type { BackendSpec } from './spec.ts';

/** A SecretBackend or ClusterSecretBackend as a driver sees it. */
export interface BackendDefinition {
  /** `SecretBackend namespace/name` or `ClusterSecretBackend name`, for messages. */
  readonly title: string;
  readonly spec: BackendSpec;
  /** Where the Secrets and ServiceAccounts are that the spec refers to. */
  readonly credentialsNamespace: string;
  /**
   * The namespace whose documents the driver is for: a flat store has a place for each. Undefined for a
   * ClusterSecretBackend as a whole, which is probed and, if it is a tree, shared.
   */
  readonly tenant: string | undefined;
}

/** One kind of backend. `create` allocates and checks the spec; it does no I/O. */
export interface BackendFactory {
  /** Value of `spec.type`. */
  readonly kind: string;
  create(definition: BackendDefinition): Driver;
}

/** The closed, explicit map from `spec.type` to its factory; app.ts fills it, nothing registers itself. */
export class BackendRegistry {
  readonly #factories: ReadonlyMap<string, BackendFactory>;

  constructor(factories: readonly BackendFactory[]) {
    this.#factories = new Map(factories.map((factory) => [factory.kind, factory]));
  }

  create(definition: BackendDefinition): Driver {
    const factory = this.#factories.get(definition.spec.type);
    if (factory === undefined) {
      throw new OperatorError('SPEC_INVALID', {
        op: 'backend.create',
        target: definition.title,
        detail: `spec.type ${definition.spec.type} is not known to this version.`,
      });
    }
    return factory.create(definition);
  }
}
