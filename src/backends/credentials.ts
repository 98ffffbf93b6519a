import type { SecretValue } from '#src/core/secret-value.ts';

/** A ServiceAccount token, issued for one purpose. */
export interface IssuedToken {
  readonly token: SecretValue;
  /** Milliseconds since the epoch, from the server's reply. */
  readonly expiresAt: number;
}

/**
 * Where a driver gets its credentials: the Kubernetes API, or a fake in a test. All references of a backend are in its
 * own namespace, so `namespace` is always the namespace of the backend and never user input.
 */
export interface CredentialSource {
  /** One key of a Secret. Throws `CREDENTIALS_MISSING` if the Secret or the key does not exist. */
  readSecretKey(namespace: string, name: string, key: string, signal: AbortSignal): Promise<SecretValue>;

  /**
   * A short-lived token of a ServiceAccount for these audiences (TokenRequest). Throws `CREDENTIALS_MISSING` if the
   * ServiceAccount does not exist, and `CREDENTIALS_FORBIDDEN` if the operator must not request this token: see
   * `TokenRules`. Every auth method gets its tokens here.
   */
  requestToken(
    namespace: string,
    serviceAccount: string,
    audiences: readonly string[],
    signal: AbortSignal,
  ): Promise<IssuedToken>;
}
