import type { Dispatcher } from 'undici';
import type { OperatorError } from '#src/errors.ts';
import { readReply, type ReplyLimits } from '#src/io/bounded-reply.ts';
import { ByteBudget, bytesForReplies } from '#src/io/byte-budget.ts';
import type { Deadline } from '#src/io/deadline.ts';
import { parseRetryAfter } from '#src/io/retry-delay.ts';
import { invalidReplyToWrite, type Exchange } from './exchange.ts';
import { jsonOfReply } from './json.ts';
import { problemOf } from './problem.ts';

export type Reply = Dispatcher.ResponseData;

/** What was sent, and the time for its reply. */
export interface Sent {
  readonly exchange: Exchange;
  readonly deadline: Deadline;
}

/**
 * One object always fits: an etcd value is at most 1.5 MiB, and its JSON can be some times as large (Go writes `<` as six
 * bytes). A list that does not fit is requested again with fewer objects: src/kube/fitting-page.ts.
 */
export const REPLY_LIMITS: ReplyLimits = {
  maxBytes: 8 * 1024 * 1024,
  maxTokens: 1_000_000,
  maxDepth: 128,
};

/** The only holder of its budget. */
const HOLDER = 'the API server';

/** Reads bodies of limited size; together they have a limit, too. */
export class ReplyReader {
  readonly #limits: ReplyLimits;
  readonly #budget: ByteBudget;

  constructor(maxBytes: number = REPLY_LIMITS.maxBytes) {
    this.#limits = { ...REPLY_LIMITS, maxBytes };
    // Not the budget of other servers: one that keeps its part of that must not hold up the API server.
    const total = bytesForReplies() / 2;
    this.#budget = new ByteBudget({ total, perHolder: total });
  }

  /** The JSON of a reply with success. */
  async result(reply: Reply, sent: Sent): Promise<unknown> {
    const { exchange } = sent;
    return this.#read(reply, sent, (bytes) => {
      try {
        return jsonOfReply(bytes, exchange);
      } catch (thrown) {
        // The status shows that a write succeeded; only its result is unknown.
        throw exchange.writes ? invalidReplyToWrite(exchange) : thrown;
      }
    });
  }

  /** What a reply without success means. */
  async problem(reply: Reply, sent: Sent): Promise<OperatorError> {
    const { exchange } = sent;
    const body = await this.#read(reply, sent, (bytes) => {
      try {
        return jsonOfReply(bytes, exchange);
      } catch {
        return undefined; // A page of a proxy or a plain-text refusal: only the HTTP status is usable.
      }
    });
    const retryAfterMs = parseRetryAfter(reply.headers['retry-after'], reply.headers['date']);
    return problemOf({ httpStatus: reply.statusCode, body, retryAfterMs }, exchange);
  }

  async #read<T>(reply: Reply, { exchange, deadline }: Sent, parse: (bytes: Uint8Array) => T): Promise<T> {
    const reserve = async (bytes: number): Promise<Disposable> =>
      this.#budget.reserve(bytes, HOLDER, deadline.signal);
    const declared = reply.headers['content-length'];
    const options = { limits: this.#limits, declared, operation: exchange, reserve };
    return await readReply(reply.body, options, parse);
  }
}
