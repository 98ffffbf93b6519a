import type { Driver } from '#src/backends/driver.ts';
import type { WriteHint } from '#src/backends/hints.ts';
import type { Document, Expectation, StoredDocument, Version } from '#src/core/document.ts';
import type { Permit } from '#src/ports.ts';

/** What a write made. */
export interface Made {
  readonly version: Version;
  /** The document as the store has it, if its reply to the write showed it: the proof needs no read then. */
  readonly stored?: StoredDocument;
}

/** What to write, and where. */
export interface Making {
  readonly desired: Document;
  readonly expect: Expectation;
  readonly hint?: WriteHint | undefined;
}

/** Writes a document; resolves with what the reply tells of it. Throws the errors of `Driver.write`. */
export async function make(
  driver: Pick<Driver, 'write' | 'writeAndRead'>,
  { desired, expect, hint }: Making,
  permit: Permit,
): Promise<Made> {
  if (driver.writeAndRead === undefined)
    return { version: await driver.write(desired, expect, permit, hint) };
  const stored = await driver.writeAndRead(desired, expect, permit);
  return { version: stored.version, stored };
}
