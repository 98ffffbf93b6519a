import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import type { BaoClient, BaoReply, BaoRequest } from '../client.ts';
import { apiPathOf, joinPath } from '../path.ts';
import { failureOf, missingKindOf } from '../status.ts';
import { AuthReply, isEnvelope, parseReply } from '../wire.ts';
import { refuseLimitedUse } from './method.ts';
import type { BaoToken } from './method.ts';
import { revoke } from './self-request.ts';

export interface LoginAttempt {
  /** Where the auth method is enabled, without `auth/`. */
  readonly mountPath: string;
  readonly body: Readonly<Record<string, string>>;
  readonly op: string;
  /** Whose credentials these are, for errors. */
  readonly target: string;
}

/**
 * `POST auth/<mountPath>/login`, the same in all methods. Throws `AUTH_DENIED` when the server does not accept the
 * credentials, has no such role or no such auth method; a token with a limited number of uses is given back at once.
 */
export async function logIn(
  client: BaoClient,
  attempt: LoginAttempt,
  signal: AbortSignal,
): Promise<BaoToken> {
  const { mountPath, body, op, target } = attempt;
  const request: BaoRequest = {
    method: 'POST',
    path: apiPathOf(joinPath('auth', mountPath, 'login'), op),
    body,
    op,
    target,
    mutates: true,
  };
  const reply = await client.request(request, undefined, signal);
  if (reply.status !== 200) throw refusalOf(reply, request, mountPath);
  const { auth } = parseReply(AuthReply, reply, request);
  const secret = SecretValue.fromUtf8(auth.client_token);
  try {
    refuseLimitedUse(auth.num_uses, op, target);
  } catch (refusal) {
    await revoke(client, secret, signal);
    throw refusal;
  }
  return { secret, ttlSeconds: auth.lease_duration, renewable: auth.renewable, own: true };
}

/** Methods and versions differ in whether bad credentials or an unknown role are a 400 or a 403. */
function refusalOf(reply: BaoReply, request: BaoRequest, mountPath: string): OperatorError {
  const detail = detailOf(reply, mountPath);
  if (detail === undefined) return failureOf(reply, request);
  const { op, target } = request;
  return new OperatorError('AUTH_DENIED', { op, target, status: reply.status, detail });
}

function detailOf(reply: BaoReply, mountPath: string): string | undefined {
  if (reply.status === 400 || reply.status === 403) {
    return `The login at auth/${mountPath} was refused: look at the role and at what the credentials are bound to.`;
  }
  const isOurs = isEnvelope(reply.body) && missingKindOf(reply) === 'other';
  return reply.status === 404 && isOurs ? `There is no auth method at auth/${mountPath}.` : undefined;
}
