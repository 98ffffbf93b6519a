import type { Driver } from './driver.ts';
import type { AnyBackendSpec } from './kind.ts';

/** A SecretBackend or ClusterSecretBackend as a driver sees it. */
export interface BackendDefinition {
  /** `SecretBackend namespace/name` or `ClusterSecretBackend name`, for messages. */
  readonly title: string;
  readonly spec: AnyBackendSpec;
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
