import type { RefusalReason } from '#src/errors/reasons.ts';

/** Why a store cannot hold a document. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** One sentence with the limit that was exceeded. Never contains a value or the length of a value. */
  readonly message: string;
}
