import { OperatorError } from '#src/errors.ts';
import type { BaoClient, BaoReply } from './client.ts';
import { isEnvelope } from './wire.ts';

/**
 * True for the reply to a path that exists in each namespace (`sys`, `auth/token`, a login): such a path is never
 * missing, the namespace is. Vault without namespaces ignores the header.
 */
export function isNamespaceMissing(reply: BaoReply, { namespace }: BaoClient): boolean {
  return namespace !== undefined && reply.status === 404 && isEnvelope(reply.body);
}

export function namespaceMissing({ namespace = '' }: BaoClient, op: string): OperatorError {
  return new OperatorError('NAMESPACE_MISSING', { op, target: namespace, status: 404 });
}
