import type { RequestMatch } from './proxy-rules.ts';
import type { RecordingProxy } from './recording-proxy.ts';
import type { RecordedRequest } from './request-history.ts';
import type { Tenant } from './tenant.ts';
import type { Stage } from './stage.ts';

/** Stops requests on their way until it opens; leaving the test opens it, or the operator would hang in the next one. */
export class Gate implements Disposable {
  readonly #opened: PromiseWithResolvers<void>;
  readonly #rule: ReturnType<RecordingProxy['onRequest']>;

  constructor(proxy: RecordingProxy, match: RequestMatch) {
    this.#opened = Promise.withResolvers<void>();
    this.#rule = proxy.onRequest(match, { kind: 'hold', until: this.#opened.promise });
  }

  /** Resolves when the first request stands before it. */
  get arrival(): Promise<RecordedRequest> {
    return this.#rule.firstHit;
  }

  /** How many requests came to it, those included that found it open. */
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

/** Holds what the operator writes to the tenant's mount: values, not markers. */
export function holdWrites(stage: Stage, tenant: Tenant): Gate {
  return new Gate(stage.bao, { method: 'POST', path: new RegExp(`^/v1/${tenant.mount}/data/`) });
}

/** Holds what the operator deletes of the tenant's Secrets. */
export function holdRemovals(stage: Stage, tenant: Tenant): Gate {
  return new Gate(stage.api, { method: 'DELETE', path: new RegExp(`/${tenant.namespace}/secrets/`) });
}

/** Holds what the operator writes to the status of one migration. */
export function holdStatus(stage: Stage, tenant: Tenant, migration: string): Gate {
  const path = new RegExp(`/${tenant.namespace}/secretmigrations/${migration}/status$`);
  return new Gate(stage.api, { method: 'PATCH', path });
}

/** Lets another writer `act` after the operator has looked and before its POST to `path` reaches the server. */
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
