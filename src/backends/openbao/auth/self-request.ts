import type { SecretValue } from '#src/core/secret-value.ts';
import type { BaoClient, BaoRequest } from '../client.ts';
import { apiPathOf } from '../path.ts';

const OP = 'openbao.auth';

/** A request of a token about itself; the built-in `default` policy allows it. */
export function selfRequest(action: 'lookup-self' | 'renew-self' | 'revoke-self'): BaoRequest {
  const target = `auth/token/${action}`;
  const path = apiPathOf(target, OP);
  const about = { path, urlTemplate: path, op: OP, target, replies: 'small' } as const;
  return action === 'lookup-self'
    ? { ...about, method: 'GET' }
    : { ...about, method: 'POST', body: {}, mutates: true, givesUp: action === 'revoke-self' };
}

/** Revokes a token that Keyferry got by a login. Best effort, never throws: a token that is not revoked expires. */
export async function revoke(client: BaoClient, token: SecretValue, signal: AbortSignal): Promise<void> {
  try {
    await client.request(selfRequest('revoke-self'), token, signal);
  } catch {
    // It expires.
  }
}
