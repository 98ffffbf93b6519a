import type { SecretValue } from '#src/core/secret-value.ts';

/** A token of a ServiceAccount, minted for one purpose. */
export interface IssuedToken {
  readonly token: SecretValue;
  /** Milliseconds since the epoch, from the server's reply. */
  readonly expiresAt: number;
}

/**
 * Where a driver gets its credentials from: the Kubernetes API in a cluster, anything else in a test. All references of
 * a backend are in its own namespace, so the namespace is always that of the backend and never user input.
 */
export interface CredentialSource {
  /** One key of a Secret. `CREDENTIALS_MISSING` when the Secret or the key is not there. */
  readSecretKey(namespace: string, name: string, key: string, signal: AbortSignal): Promise<SecretValue>;

  /**
   * A short-lived token of a ServiceAccount (TokenRequest). No audiences means the API server's own audience.
   * `CREDENTIALS_MISSING` when the ServiceAccount is not there.
   */
  requestToken(
    namespace: string,
    serviceAccount: string,
    audiences: readonly string[],
    signal: AbortSignal,
  ): Promise<IssuedToken>;
}
