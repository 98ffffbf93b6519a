import type { RequestMatch } from './proxy-rules.ts';
import type { RecordingProxy } from './recording-proxy.ts';
import type { RecordedRequest } from './request-history.ts';
import type { Tenant } from './tenant.ts';
import type { Stage } from './stage.ts';

/** Holds requests until it opens. The end of the test opens it, so that the operator does not hang in the next test. */
export class Gate implements Disposable {
  readonly #opened: PromiseWithResolvers<void>;
  readonly #rule: ReturnType<RecordingProxy['onRequest']>;

  constructor(proxy: RecordingProxy, match: RequestMatch) {
    this.#opened = Promise.withResolvers<void>();
    this.#rule = proxy.onRequest(match, { kind: 'hold', until: this.#opened.promise });
  }

  /** Resolves with the first held request. */
  get arrival(): Promise<RecordedRequest> {
    return this.#rule.firstHit;
  }

  /** Number of requests that matched, including those after it opened. */
  get arrivals(): number {
    return this.#rule.hits;
  }

  open(): void {
    this.#opened.resolve();
  }

  [Symbol.dispose](): void {
    this.open();
  }
}

/** Holds writes of the operator to the mount of the tenant: values, not markers. */
export function holdWrites(stage: Stage, tenant: Tenant): Gate {
  return new Gate(stage.bao, { method: 'POST', path: new RegExp(`^/v1/${tenant.mount}/data/`) });
}

/** Holds deletes of the operator of Secrets of the tenant. */
export function holdRemovals(stage: Stage, tenant: Tenant): Gate {
  return new Gate(stage.api, { method: 'DELETE', path: new RegExp(`/${tenant.namespace}/secrets/`) });
}

/** Holds writes of the operator to the status of one migration. */
export function holdStatus(stage: Stage, tenant: Tenant, migration: string): Gate {
  const path = new RegExp(`/${tenant.namespace}/secretmigrations/${migration}/status$`);
  return new Gate(stage.api, { method: 'PATCH', path });
}

/** Runs `act`, as another writer, after the operator has read and before its POST to `path` reaches the server. */
export async function overtake(proxy: RecordingProxy, path: RegExp, act: () => Promise<void>): Promise<void> {
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  const held = proxy.onRequest({ method: 'POST', path }, { kind: 'hold', until }, 1);
  await held.firstHit;
  try {
    await act();
  } finally {
    release();
  }
}
