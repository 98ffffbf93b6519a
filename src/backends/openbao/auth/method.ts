import type { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';

/** A token of the server, and what is known about its lifetime. */
export interface BaoToken {
  readonly secret: SecretValue;
  /** Seconds from the reply; 0 means that it does not expire. */
  readonly ttlSeconds: number;
  readonly renewable: boolean;
  /** True if Keyferry got it by a login and must revoke it at the end. A token from a user is never revoked. */
  readonly own: boolean;
}

/** One way to get a token. */
export interface AuthMethod {
  /** Throws `CREDENTIALS_MISSING`, `AUTH_DENIED` or the errors of the transport. Reads its credentials each time. */
  login(signal: AbortSignal): Promise<BaoToken>;
}

/**
 * Throws `AUTH_DENIED` for a token with a limited number of uses: it costs a storage write per request and runs out in
 * the middle of a run.
 */
export function refuseLimitedUse(numUses: number | undefined, op: string, target: string): void {
  if (numUses === undefined || numUses === 0) return;
  throw new OperatorError('AUTH_DENIED', {
    op,
    target,
    detail: 'The token has a limited number of uses.',
    hint: 'Issue a token without num_uses.',
  });
}
