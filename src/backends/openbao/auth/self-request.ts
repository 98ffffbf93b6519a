import type { SecretValue } from '#src/core/secret-value.ts';
import type { BaoClient, BaoRequest } from '../client.ts';
import { apiPathOf } from '../path.ts';

const OP = 'openbao.auth';

/** A request about the token that makes it; the built-in `default` policy allows these. */
export function selfRequest(action: 'lookup-self' | 'renew-self' | 'revoke-self'): BaoRequest {
  const target = `auth/token/${action}`;
  const about = { path: apiPathOf(target, OP), op: OP, target };
  return action === 'lookup-self'
    ? { ...about, method: 'GET' }
    : { ...about, method: 'POST', body: {}, mutates: true };
}

/** Ends a token that Keyferry made. Best effort and never throws: what cannot be revoked ends with its life. */
export async function revoke(client: BaoClient, token: SecretValue, signal: AbortSignal): Promise<void> {
  try {
    await client.request(selfRequest('revoke-self'), token, signal);
  } catch {
    // It ends with its life.
  }
}
