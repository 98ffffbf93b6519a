import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import { documentation } from '#src/errors/documentation.ts';
import type { BaoClient, BaoReply, BaoRequest } from '../client.ts';
import { meantMountPath } from '../mistakes.ts';
import { isNamespaceMissing, namespaceMissing } from '../namespace.ts';
import { apiPathOf, joinPath } from '../path.ts';
import { failureOf } from '../status.ts';
import { AuthReply, isEnvelope, parseReply } from '../wire.ts';
import { refuseLimitedUse } from './method.ts';
import type { BaoToken } from './method.ts';
import { revoke } from './self-request.ts';

export interface LoginAttempt {
  /** Path of the auth method, without `auth/`. */
  readonly mountPath: string;
  readonly body: Readonly<Record<string, string>>;
  readonly op: string;
  /** Source of the credentials, for errors. */
  readonly target: string;
}

/**
 * `POST auth/<mountPath>/login`, the same for all methods. Throws `AUTH_DENIED` if the server does not accept the
 * credentials, or has no such role or auth method, or issues a token with a limited number of uses, which is revoked;
 * `NAMESPACE_MISSING` if there is no such namespace.
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
    urlTemplate: '/v1/auth/{mount}/login',
    body,
    op,
    target,
    replies: 'small',
    mutates: true,
  };
  const reply = await client.request(request, undefined, signal);
  if (isNamespaceMissing(reply, client)) throw namespaceMissing(client, op);
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

/**
 * Bad credentials, an unknown role or a wrong path are a 400 or a 403, depending on method and version. Vault replies 500
 * to a wrong secret id, as to a failing disk. Only the text would tell them apart, so the message names both.
 */
function refusalOf(reply: BaoReply, request: BaoRequest, mountPath: string): OperatorError {
  const { status } = reply;
  const { op, target } = request;
  if (status === 500) {
    const detail = `The login at auth/${mountPath} failed; Vault replies the same to a wrong secret id.`;
    const hint = 'Check the secret id, then the log of the server.';
    return new OperatorError('SERVER_ERROR', { op, target, status, detail, hint });
  }
  if (status !== 400 && status !== 403 && !(status === 404 && isEnvelope(reply.body)))
    return failureOf(reply, request);
  const detail = `The server refused the login at auth/${mountPath}.`;
  const meant = meantMountPath(mountPath);
  const hint =
    meant === undefined
      ? `Check namespace, mountPath, role and what the credentials are bound to (${documentation('authentication.md#when-a-login-is-refused')}).`
      : `Set mountPath to ${meant}: auth/ and /login are parts of the API's path.`;
  return new OperatorError('AUTH_DENIED', { op, target, status, detail, hint });
}
