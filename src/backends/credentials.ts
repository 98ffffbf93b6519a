import type { SecretValue } from '#src/core/secret-value.ts';
import type { CredentialRecord } from '#src/ports.ts';

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

/** For what the credentials of a backend are: the backend, and the server that gets them. */
export type CredentialUse = Pick<CredentialRecord, 'backend' | 'address'>;

/** The credentials of one backend for one server. Each access is recorded, if the operator keeps an audit log. */
export interface BackendCredentials extends CredentialSource {
  /** Runs a login at this path of the server. Its token is returned after the login is recorded. */
  login<T>(path: string, next: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** How a factory gets the credentials of a backend. */
export type CredentialsFor = (use: CredentialUse) => BackendCredentials;
