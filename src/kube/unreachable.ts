import { OperatorError } from '#src/errors.ts';
import { causeOf, networkFailureOf, type FailedOperation } from '#src/io/network-failure.ts';

const CHECK_CA = 'Check the CA: ca.crt of the ServiceAccount, or certificate-authority of the kubeconfig.';

/**
 * A connection error as `TLS_FAILED`, `DEADLINE` or `BACKEND_UNREACHABLE`, which name the API server and its address: else
 * a user looks for the fault at the server of a backend.
 */
export function unreachable(thrown: unknown, operation: FailedOperation, server: URL): OperatorError {
  const { kind, sent } = networkFailureOf(thrown);
  const cause = causeOf(thrown);
  const about = {
    op: operation.op,
    target: operation.target,
    detail: [addressOf(server), cause].filter((part) => part !== undefined).join(' '),
    indeterminate: operation.writes && sent !== 'not-sent',
  };
  if (kind === 'tls') return new OperatorError('TLS_FAILED', { ...about, hint: CHECK_CA });
  return new OperatorError(kind === 'timeout' ? 'DEADLINE' : 'BACKEND_UNREACHABLE', about);
}

/** The API server did not answer in time. */
export function silent({ op, target, writes }: FailedOperation, server: URL): OperatorError {
  return new OperatorError('DEADLINE', { op, target, detail: addressOf(server), indeterminate: writes });
}

function addressOf({ origin }: URL): string {
  return `It is the Kubernetes API server at ${origin}.`;
}
