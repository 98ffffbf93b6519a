import type { ReplyLimits } from '#src/io/bounded-reply.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * What a reply can be at most, by what it contains. docs/limits.md has the table, ADR 0041 the measurements.
 */
export const REPLY_LIMITS = {
  /** Health, login, token, mount, config, and the reply to a change. */
  small: { maxBytes: 64 * KIB, maxTokens: 8_000, maxDepth: 16 },
  /** The capabilities of the token on some hundred paths: see capabilities-self.ts, which bounds the paths of a call. */
  rights: { maxBytes: MIB, maxTokens: 20_000, maxDepth: 8 },
  /**
   * A document, or the metadata of a path. A server stores at most 1 MiB of it, as the JSON that it sends, and custom
   * metadata of 250 KiB. The shortest key is 8 bytes of JSON and two tokens; a version is 93 to 120 bytes.
   */
  document: { maxBytes: 2 * MIB, maxTokens: 250_000, maxDepth: 64 },
  /** A page of at most 10,000 names. A longer one is requested again with fewer names. */
  page: { maxBytes: MIB, maxTokens: 20_000, maxDepth: 8 },
  /**
   * A page of at most 1,000 names with the metadata of each: 1.5 MiB with ten versions each. A larger one is requested again
   * with fewer names.
   */
  versions: { maxBytes: 4 * MIB, maxTokens: 250_000, maxDepth: 16 },
  /** A larger page, and all names of a folder from a server without pages: 100,000 names of 80 bytes. */
  folder: { maxBytes: 8 * MIB, maxTokens: 100_100, maxDepth: 8 },
} as const satisfies Readonly<Record<string, ReplyLimits>>;

/** Names of a page, at most, whose reply is limited as `page`. */
export const PAGE_NAMES = 10_000;

/** What a reply contains, which limits it. */
export type ReplyKind = keyof typeof REPLY_LIMITS;
