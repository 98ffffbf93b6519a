import { OperatorError } from '#src/errors.ts';
import type { KubeRequest } from './client.ts';
import type { PoolName } from './dispatchers.ts';

/** One HTTP exchange, of a request or a watch. */
export interface Exchange {
  readonly method: KubeRequest['method'];
  readonly path: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
  readonly contentType?: string;
  readonly accept: string;
  readonly op: string;
  readonly target: string;
  readonly pool: PoolName;
  /** It changes something: every method but GET, unless it only asks. */
  readonly writes: boolean;
  readonly holdsNoValue?: true;
  readonly permit?: KubeRequest['permit'];
}

export function toExchange(request: KubeRequest): Exchange {
  const { method, onlyAsks, path, op, target, body, permit, holdsNoValue } = request;
  return {
    method,
    path,
    op,
    target,
    query: request.query ?? {},
    accept: request.accept ?? 'application/json',
    pool: request.pool ?? 'default',
    writes: method !== 'GET' && onlyAsks !== true,
    ...(permit === undefined ? {} : { permit }),
    ...(holdsNoValue === undefined ? {} : { holdsNoValue }),
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), contentType: request.contentType ?? 'application/json' }),
  };
}

export function toQueryString(query: Exchange['query']): string {
  const pairs = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}

export function invalidReplyToWrite(exchange: Exchange): OperatorError {
  return new OperatorError('REPLY_INVALID', { ...named(exchange), indeterminate: true });
}

export function named(exchange: Exchange): { readonly op: string; readonly target: string } {
  return { op: exchange.op, target: exchange.target };
}
