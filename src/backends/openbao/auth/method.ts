import type { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';

/** A token of the server and what is known of its life. */
export interface BaoToken {
  readonly secret: SecretValue;
  /** Seconds from now; 0 means that it does not expire. */
  readonly ttlSeconds: number;
  readonly renewable: boolean;
  /** True when Keyferry made it by a login and should revoke it in the end; a token given by a user is left alone. */
  readonly own: boolean;
}

/** One way of getting a token. */
export interface AuthMethod {
  /** Throws `CREDENTIALS_MISSING`, `AUTH_DENIED` or what the transport throws. Reads its credentials anew each time. */
  login(signal: AbortSignal): Promise<BaoToken>;
}

/**
 * A token with a limited number of uses costs a storage write per request and dies in the middle of a run, so it is
 * refused before the first use.
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
