import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { MAX_IDENTITY, MAX_SERVER_TEXT } from '#src/api/v1alpha1/secret-backend.ts';
import type { Probe } from '#src/backends/driver.ts';
import { boundedText } from '#src/core/bounded-text.ts';
import { OperatorError, type ErrorDetail } from '#src/errors.ts';
import type { Statement } from '../conditions.ts';
import { failing } from '../migration/verdict.ts';
import type { NamedServer } from './slow-servers.ts';

/*
 * What the status of a backend says of a probe.
 */

/** The failure of a backend whose server another backend of its namespace waited for. */
export function silent(backend: Backend, server: NamedServer | undefined): OperatorError {
  return new OperatorError('DEADLINE', {
    ...unanswered(backend, server),
    detail: 'Another backend with this address waited for it; it is asked again within five minutes.',
  });
}

/** For an error of a probe: the status tells of a silent server as of every other that gives no answer. */
export function unanswered({ metadata }: Backend, named: NamedServer | undefined): ErrorDetail {
  const [address = ''] = named?.server.split(' ') ?? [];
  return { op: 'backend.probe', target: metadata.name, unansweredAt: URL.parse(address)?.origin };
}

/** The reply of a server as the status can hold it, whatever it sent. */
export function publishable({ server, identity, ...probe }: Probe): Probe {
  return {
    ...probe,
    server: {
      product: boundedText(server.product, MAX_SERVER_TEXT),
      version: boundedText(server.version, MAX_SERVER_TEXT),
    },
    identity: boundedText(identity, MAX_IDENTITY),
  };
}

/** What the status of a backend says of a failed probe. */
export function unavailable(failure: unknown): readonly Statement[] {
  const { reason, message, stalled } = failing(failure);
  const ready: Statement = { type: 'Ready', status: 'False', reason, message };
  return stalled ? [ready, { ...ready, type: 'Stalled', status: 'True' }] : [ready];
}

/** What the status of a backend says of a probe that succeeded. */
export function available(probe: Pick<Probe, 'server' | 'warning'>): readonly Statement[] {
  const works = `${probe.server.product} is reachable; required operations are available.`;
  const message = probe.warning === undefined ? works : `${works} ${probe.warning}`;
  return [{ type: 'Ready', status: 'True', reason: 'Available', message }];
}
