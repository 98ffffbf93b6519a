import type { Address, StoredDocument } from '#src/core/document.ts';
import type { FallbackRoute } from '#src/core/mapping/route.ts';
import type { PlanInputs } from './inputs.ts';
import type { PlannedDocument } from './plan.ts';

/*
 * During a re-key window a document that is absent at its own address may still be at its old one. Only the answer "absent"
 * of the backend counts: neither an error nor a deleted version leads to the old address. Nor does a document that an earlier
 * run read at its own address: it was removed deliberately since.
 */

type Window = Pick<PlanInputs, 'intent' | 'clock'>;

/** The old addresses, while the fallback is active. */
export function activeFallback({ intent, clock }: Window): FallbackRoute | undefined {
  const { fallbackUntil, route } = intent;
  return fallbackUntil !== undefined && clock.now() < fallbackUntil ? route.fallback : undefined;
}

/** Where a document that is absent at its own address may be; undefined: it is not looked for. */
export function oldAddressOf(inputs: Window & Pick<PlanInputs, 'prior'>, name: string): Address | undefined {
  return wasReadUnderItsName(inputs, name) ? undefined : activeFallback(inputs)?.sourceOf(name);
}

export interface FoundAtOldAddress {
  /** The document with its old address as its source. */
  readonly document: PlannedDocument;
  readonly stored: StoredDocument;
}

/** Reads the old address of a document that is absent at its own. Throws what the read throws. */
export async function readFallback(
  inputs: Window & Pick<PlanInputs, 'prior' | 'source' | 'signal' | 'onFallback'>,
  document: PlannedDocument,
): Promise<FoundAtOldAddress | undefined> {
  const source = oldAddressOf(inputs, document.name);
  if (source === undefined) return undefined;
  const found = await inputs.source.read(source, inputs.signal);
  if (found.state !== 'present') return undefined;
  inputs.onFallback();
  return { document: { ...document, source }, stored: found.document };
}

/** Keys or a destination version are recorded only for a document that was read; a document may have no keys. */
export function wasReadUnderItsName({ prior }: Pick<PlanInputs, 'prior'>, name: string): boolean {
  const record = prior.get(name);
  if (record === undefined || record.source?.path !== undefined) return false;
  return record.keys.length > 0 || record.destination?.version !== undefined;
}

/** The sentence to add to the row of a missing document when the fallback has ended. */
export function fallbackHasEnded({ intent, clock }: Window): string | undefined {
  const { fallbackUntil } = intent;
  if (fallbackUntil === undefined || clock.now() < fallbackUntil) return undefined;
  return `spec.source.fallback ended at ${new Date(fallbackUntil).toISOString()}; old names are no longer read.`;
}
