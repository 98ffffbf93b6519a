import type { Accessor } from '#src/ports.ts';
import type { Driver } from './driver.ts';
import type { AnyBackendSpec } from './kind.ts';

/** A SecretBackend or ClusterSecretBackend as a driver sees it. */
export interface BackendDefinition {
  /** `SecretBackend namespace/name` or `ClusterSecretBackend name`, for messages. */
  readonly title: string;
  /** The same as names, for records. */
  readonly backend: Accessor['backend'];
  readonly spec: AnyBackendSpec;
  /** Namespace of the Secrets and ServiceAccounts that the spec refers to. */
  readonly credentialsNamespace: string;
  /**
   * The namespace whose documents the driver works on: a flat store has one driver for each. Undefined for a whole
   * ClusterSecretBackend, whose driver is probed and, for a tree store, shared.
   */
  readonly tenant: string | undefined;
}

/** One kind of backend. `create` allocates and checks the spec; it does no I/O. */
export interface BackendFactory {
  /** Value of `spec.type`. */
  readonly kind: string;
  create(definition: BackendDefinition): Driver;
}
