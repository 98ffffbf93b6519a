import type { IncomingMessage } from 'node:http';
import { RequestHistory, type RecordedRequest } from '#test/support/request-history.ts';
import type { RecordingProxy } from '#test/support/recording-proxy.ts';

/** What becomes of the request with which the operator dies. */
export type Fate =
  /** It never reaches the server. */
  | 'unsent'
  /** The server applies it; nobody hears of that. */
  | 'applied'
  /** The reply arrives; nothing is done with it. */
  | 'answered';
export const FATES: readonly Fate[] = ['unsent', 'applied', 'answered'];

/** When an operator dies, in terms of what it asks of the servers: wall clock time would mostly miss the run. */
export interface Moment {
  readonly fate: Fate;
  readonly at:
    /** Its n-th request of any kind, from its start on. */
    | { readonly request: number }
    /** A change of a document, once so many different ones were sent by all operators so far. */
    | { readonly step: number }
    /** Its next request once this holds: for changes that are no requests. `once` says so in reports. */
    | { readonly once: string; readonly holds: () => boolean };
}

/** A history of both proxies that kills at a moment of it. */
export class KillSwitch extends RequestHistory {
  readonly #steps = new Set<string>();
  #requests = 0;
  #armed: { readonly moment: Moment; readonly kill: () => void } | undefined;
  #victim:
    { readonly request: RecordedRequest; readonly moment: Moment; readonly kill: () => void } | undefined;
  #fired: RecordedRequest | undefined;

  /** Lets the proxy swallow the request, or its reply, with which an operator dies. */
  install(proxy: RecordingProxy): void {
    const dies = (fate: Fate) => (request: RecordedRequest) =>
      this.#victim?.request === request && this.#victim.moment.fate === fate;
    proxy.onRequest(dies('unsent'), { kind: 'drop-before' });
    proxy.onRequest(dies('applied'), { kind: 'drop-after' });
  }

  /** Requests are counted from now on. */
  arm(moment: Moment, kill: () => void): void {
    this.#requests = 0;
    this.#fired = undefined;
    this.#victim = undefined;
    this.#armed = { moment, kill };
  }

  /** The request with which the operator died; undefined while it lives. */
  get fired(): RecordedRequest | undefined {
    return this.#fired;
  }

  /** Different changes of documents so far; all creations of Secrets count as one. */
  get steps(): number {
    return this.#steps.size;
  }

  override arrived(request: IncomingMessage): RecordedRequest {
    const record = super.arrived(request);
    // A watch has no end to wait for.
    if (/(^|&)watch=/.test(record.query)) return record;
    this.#requests += 1;
    if (isStep(record)) this.#steps.add(`${record.method} ${record.path}`);
    if (this.#armed === undefined || !this.#isDue(this.#armed.moment, record)) return record;
    this.#victim = { request: record, ...this.#armed };
    this.#armed = undefined;
    if (this.#victim.moment.fate === 'unsent') this.#fire(this.#victim);
    return record;
  }

  override ended(record: RecordedRequest): void {
    super.ended(record);
    if (this.#victim?.request === record && this.#fired === undefined) this.#fire(this.#victim);
  }

  #isDue({ at }: Moment, record: RecordedRequest): boolean {
    if ('step' in at) return isStep(record) && this.#steps.size >= at.step;
    return 'request' in at ? this.#requests >= at.request : at.holds();
  }

  #fire({ request, kill }: { readonly request: RecordedRequest; readonly kill: () => void }): void {
    kill();
    this.#fired = request;
  }
}

/** A write or delete of a document or of its metadata at the KV server, or any change of a Secret. */
export function isStep({ method, path }: RecordedRequest): boolean {
  if (method === 'GET' || method === 'LIST') return false;
  return /^\/v1\/[^/]+\/(data|delete|metadata)\//.test(path) || /\/secrets(\/|$)/.test(path);
}
