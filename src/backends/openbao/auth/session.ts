import { OperatorError } from '#src/errors.ts';
import { orAborted } from '#src/io/abort.ts';
import type { Clock, Random } from '#src/ports.ts';
import type { BaoClient, BaoReply, BaoRequest } from '../client.ts';
import { AuthReply, parseReply } from '../wire.ts';
import type { AuthMethod, BaoToken } from './method.ts';
import { revoke, selfRequest } from './self-request.ts';

/*
 * The life of one token:
 *
 *   (none) ──login, one at a time──▶ held ──2/3 of its life──▶ renewed, or logged in again
 *      ▲                              │
 *      └── expired, or 403 and ───────┘
 *          lookup-self refuses it too
 *
 * A 403 has two meanings that only their text would tell apart: the token is no longer good, or a policy denies the path.
 * So the token itself is asked about (lookup-self): only when it is bad, one login and one more try follow.
 */

const OP = 'openbao.auth';
/** A token this close to its end is not used any more. */
const EXPIRY_MARGIN_MS = 2_000;
/** At most one login in this time is caused by refused requests, whatever the server answers. */
const RELOGIN_INTERVAL_MS = 10_000;
/** Near its maximum life a token is granted less and less; this bounds how often that is tried. */
const MIN_RENEWAL_MS = 1_000;
/** For a login under way and the revocation together. */
const CLOSE_TIMEOUT_MS = 2_000;

export interface SessionOptions {
  readonly client: BaoClient;
  readonly method: AuthMethod;
  readonly clock: Clock;
  readonly random: Random;
}

interface HeldToken extends BaoToken {
  /** Monotonic milliseconds; Infinity when it does not expire. */
  readonly expiresAt: number;
}

export class Session implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #closing = new AbortController();
  #isClosed = false;
  #held: HeldToken | undefined;
  /** Ours, replaced before their end; a request may still carry one. */
  #replaced: readonly HeldToken[] = [];
  #login: Promise<HeldToken> | undefined;
  #lastForcedLogin = Number.NEGATIVE_INFINITY;
  #cancelRenewal: () => void = () => undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** One authenticated request; a status is returned, not judged, except that 403 may cost one login and a second try. */
  async request(request: BaoRequest, signal: AbortSignal): Promise<BaoReply> {
    const held = await this.#token(signal);
    const reply = await this.#options.client.request(request, held.secret, signal);
    if (reply.status !== 403 || !(await this.#lostToken(held, signal))) return reply;
    const fresh = await this.#token(signal);
    return this.#options.client.request(request, fresh.secret, signal);
  }

  /** True when the refused token is no good (any more) and another one may be had. */
  async #lostToken(refused: HeldToken, signal: AbortSignal): Promise<boolean> {
    if (this.#held !== undefined && this.#held !== refused) return true;
    const lookup = await this.#options.client.request(selfRequest('lookup-self'), refused.secret, signal);
    if (lookup.status !== 403) return false;
    const now = this.#options.clock.monotonic();
    if (this.#held === refused) {
      if (now - this.#lastForcedLogin < RELOGIN_INTERVAL_MS) return false;
      this.#lastForcedLogin = now;
      this.#drop();
    }
    return true;
  }

  /** The current token, or the one that the login under way brings; concurrent callers share one login. */
  async #token(signal: AbortSignal): Promise<HeldToken> {
    // A login that nobody waits for must not be started: its failure would be nobody's.
    signal.throwIfAborted();
    const held = this.#held;
    if (held !== undefined && this.#options.clock.monotonic() < held.expiresAt - EXPIRY_MARGIN_MS)
      return held;
    if (this.#isClosed) throw closed();
    this.#login ??= this.#startLogin();
    return orAborted(this.#login, signal);
  }

  async #startLogin(): Promise<HeldToken> {
    try {
      return this.#hold(await this.#options.method.login(this.#closing.signal));
    } finally {
      this.#login = undefined;
    }
  }

  #hold(token: BaoToken): HeldToken {
    const lifeMs = token.ttlSeconds === 0 ? Number.POSITIVE_INFINITY : token.ttlSeconds * 1000;
    const held = { ...token, expiresAt: this.#options.clock.monotonic() + lifeMs };
    if (this.#held !== undefined && this.#held.secret !== held.secret)
      this.#replaced = this.#ownLiving(this.#held);
    this.#held = held;
    this.#scheduleRenewal(held, lifeMs);
    return held;
  }

  /** At 2/3 of the life, up to a tenth of it earlier, so that replicas and backends do not renew together. */
  #scheduleRenewal(held: HeldToken, lifeMs: number): void {
    this.#cancelRenewal();
    if (!Number.isFinite(lifeMs) || this.#isClosed) return;
    const delayMs = Math.max(MIN_RENEWAL_MS, lifeMs * (2 / 3 - this.#options.random() / 10));
    this.#cancelRenewal = this.#options.clock.schedule(delayMs, () => {
      void this.#renew(held);
    });
  }

  /** Never throws: when nothing works the token is used to its end, and the next request then reports the failure. */
  async #renew(held: HeldToken): Promise<void> {
    try {
      const renewed = held.renewable ? await this.#renewSelf(held) : undefined;
      const longEnough = renewed !== undefined && renewed.ttlSeconds > this.#remainingSeconds(held);
      if (this.#held !== held) return;
      if (longEnough) this.#hold(renewed);
      else if (!this.#isClosed) await (this.#login ??= this.#startLogin());
    } catch {
      const remainingMs = this.#remainingSeconds(held) * 1000;
      if (this.#held === held && remainingMs > EXPIRY_MARGIN_MS) this.#scheduleRenewal(held, remainingMs);
    }
  }

  #remainingSeconds(held: HeldToken): number {
    return Math.max(0, (held.expiresAt - this.#options.clock.monotonic()) / 1000);
  }

  /** Undefined when the server does not renew it; the granted life stops growing near the token's maximum. */
  async #renewSelf(held: HeldToken): Promise<BaoToken | undefined> {
    const request = selfRequest('renew-self');
    const reply = await this.#options.client.request(request, held.secret, this.#closing.signal);
    if (reply.status !== 200) return undefined;
    const { auth } = parseReply(AuthReply, reply, request);
    return { ...held, ttlSeconds: auth.lease_duration, renewable: auth.renewable };
  }

  /** Those that were replaced and, if it is one of them, this one: what is to be revoked in the end. */
  #ownLiving(held: HeldToken | undefined): readonly HeldToken[] {
    const all = held === undefined ? this.#replaced : [...this.#replaced, held];
    return all.filter((token) => token.own && token.expiresAt > this.#options.clock.monotonic());
  }

  #drop(): void {
    this.#cancelRenewal();
    this.#held = undefined;
  }

  /**
   * Revokes the tokens that Keyferry made, also one that a login under way is about to bring; a server that does not
   * answer in time just lets them expire.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancelRenewal();
    const end = (): void => {
      this.#closing.abort(closed());
    };
    const cancel = this.#options.clock.schedule(CLOSE_TIMEOUT_MS, end);
    await this.#login?.catch(() => undefined);
    const own = this.#ownLiving(this.#held);
    this.#drop();
    await Promise.all(own.map(({ secret }) => revoke(this.#options.client, secret, this.#closing.signal)));
    cancel();
    end();
  }
}

function closed(): OperatorError {
  return new OperatorError('BACKEND_NOT_READY', {
    op: OP,
    detail: 'The connection to it was closed.',
    hint: 'No action needed; Keyferry connects again.',
  });
}
