import { closed } from '#src/errors/closed.ts';
import { orAborted } from '#src/io/abort.ts';
import type { Clock, Random } from '#src/ports.ts';
import type { BaoClient, BaoReply, BaoRequest } from '../client.ts';
import { AuthReply, parseReply } from '../wire.ts';
import type { AuthMethod, BaoToken } from './method.ts';
import { revoke, selfRequest } from './self-request.ts';

/*
 * The life of one token:
 *
 *   (none) ──login, one at a time──▶ held ──2/3 of its TTL──▶ renewed, or logged in again
 *      ▲                              │
 *      └── expired, or 403 and ───────┘
 *          lookup-self refuses it too
 *
 * A 403 has two meanings that only the text would tell apart: the token is not valid any more, or a policy denies the
 * path. So the session looks the token up (lookup-self): only if the token is not valid, one login and one more try
 * follow.
 */

const OP = 'openbao.auth';
/** A token with a remaining TTL below this is not used any more. */
const EXPIRY_MARGIN_MS = 2_000;
/** In this time, refused requests cause at most one login, whatever the server replies. */
const RELOGIN_INTERVAL_MS = 10_000;
/** Near its maximum TTL, each renewal of a token grants less; this bounds the rate of renewals. */
const MIN_RENEWAL_MS = 1_000;
/** Timeout of a login under way and the revocation together. */
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
  /** Own tokens that were replaced before they expired; a request under way may still use one. */
  #replaced: readonly HeldToken[] = [];
  #login: Promise<HeldToken> | undefined;
  #lastForcedLogin = Number.NEGATIVE_INFINITY;
  #cancelRenewal: () => void = () => undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /**
   * One authenticated request. Returns any status; a 403 can cause one login and a second try. Throws
   * `BACKEND_NOT_READY` once the session was disposed of.
   */
  async request(request: BaoRequest, signal: AbortSignal): Promise<BaoReply> {
    const held = await this.#token(signal);
    const reply = await this.#options.client.request(request, held.secret, signal);
    if (reply.status !== 403 || !(await this.#lostToken(held, signal))) return reply;
    const fresh = await this.#token(signal);
    return this.#options.client.request(request, fresh.secret, signal);
  }

  /** True if the refused token is not valid (any more) and another one is available or can be requested. */
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

  /** The current token, or the token of the login under way; concurrent callers share one login. */
  async #token(signal: AbortSignal): Promise<HeldToken> {
    // Do not start a login without a caller that waits: its failure would be unhandled.
    signal.throwIfAborted();
    if (this.#isClosed) throw closed({ op: OP });
    const held = this.#held;
    if (held !== undefined && this.#options.clock.monotonic() < held.expiresAt - EXPIRY_MARGIN_MS)
      return held;
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
    const ttlMs = token.ttlSeconds === 0 ? Number.POSITIVE_INFINITY : token.ttlSeconds * 1000;
    const held = { ...token, expiresAt: this.#options.clock.monotonic() + ttlMs };
    if (this.#held !== undefined && this.#held.secret !== held.secret)
      this.#replaced = this.#ownLiving(this.#held);
    this.#held = held;
    this.#scheduleRenewal(held, ttlMs);
    return held;
  }

  /** At 2/3 of the TTL, up to a tenth of it earlier, so that replicas and backends do not renew at the same time. */
  #scheduleRenewal(held: HeldToken, ttlMs: number): void {
    this.#cancelRenewal();
    if (!Number.isFinite(ttlMs) || this.#isClosed) return;
    const delayMs = Math.max(MIN_RENEWAL_MS, ttlMs * (2 / 3 - this.#options.random() / 10));
    this.#cancelRenewal = this.#options.clock.schedule(delayMs, () => {
      void this.#renew(held);
    });
  }

  /**
   * Never throws: if no renewal works, the token is used until it expires, and the next request reports the failure.
   */
  async #renew(held: HeldToken): Promise<void> {
    try {
      const renewed = held.renewable ? await this.#renewSelf(held) : undefined;
      const longEnough = renewed !== undefined && renewed.ttlSeconds > this.#remainingSeconds(held);
      if (this.#held !== held || this.#isClosed) return;
      if (longEnough) this.#hold(renewed);
      else await (this.#login ??= this.#startLogin());
    } catch {
      const remainingMs = this.#remainingSeconds(held) * 1000;
      if (this.#held === held && remainingMs > EXPIRY_MARGIN_MS) this.#scheduleRenewal(held, remainingMs);
    }
  }

  #remainingSeconds(held: HeldToken): number {
    return Math.max(0, (held.expiresAt - this.#options.clock.monotonic()) / 1000);
  }

  /** Undefined if the server does not renew it. The granted TTL stops growing near the maximum of the token. */
  async #renewSelf(held: HeldToken): Promise<BaoToken | undefined> {
    const request = selfRequest('renew-self');
    const reply = await this.#options.client.request(request, held.secret, this.#closing.signal);
    if (reply.status !== 200) return undefined;
    const { auth } = parseReply(AuthReply, reply, request);
    return { ...held, ttlSeconds: auth.lease_duration, renewable: auth.renewable };
  }

  /** The own tokens that have not expired, replaced ones included: the tokens to revoke at the end. */
  #ownLiving(held: HeldToken | undefined): readonly HeldToken[] {
    const all = held === undefined ? this.#replaced : [...this.#replaced, held];
    return all.filter((token) => token.own && token.expiresAt > this.#options.clock.monotonic());
  }

  #drop(): void {
    this.#cancelRenewal();
    this.#held = undefined;
  }

  /**
   * Revokes the tokens that Keyferry got by a login, including the token of a login under way. If the server does not
   * reply in time, they expire.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancelRenewal();
    const end = (): void => {
      this.#closing.abort(closed({ op: OP }));
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
