import type { SecretBackendSpec } from '#src/api/v1alpha1/secret-backend.ts';
import type { BackendDriver } from './driver.ts';
import { OperatorError } from '#src/errors.ts';

/** A SecretBackend as a driver sees it. */
export interface BackendDefinition {
  readonly namespace: string;
  readonly name: string;
  readonly spec: SecretBackendSpec;
}

/** One kind of backend. `create` allocates and checks the spec; it does no I/O. */
export interface BackendFactory {
  readonly kind: SecretBackendSpec['type'];
  create(definition: BackendDefinition): BackendDriver;
}

/** The closed, explicit map from `spec.type` to its factory; app.ts fills it, nothing registers itself. */
export class BackendRegistry {
  readonly #factories: ReadonlyMap<string, BackendFactory>;

  constructor(factories: readonly BackendFactory[]) {
    this.#factories = new Map(factories.map((factory) => [factory.kind, factory]));
  }

  create(definition: BackendDefinition): BackendDriver {
    const factory = this.#factories.get(definition.spec.type);
    if (factory === undefined) {
      throw new OperatorError('SPEC_INVALID', {
        op: 'backend.create',
        target: `SecretBackend ${definition.namespace}/${definition.name}`,
        detail: `spec.type ${definition.spec.type} is not known to this version.`,
      });
    }
    return factory.create(definition);
  }
}
