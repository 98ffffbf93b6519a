import type { StoredDocument } from '#src/core/document.ts';
import type { FallbackRoute } from '#src/core/mapping/route.ts';
import type { PlanInputs } from './inputs.ts';
import type { PlannedDocument } from './plan.ts';

/*
 * During a re-key window a document that is absent under its own address may still be found at its old one. Absent is
 * only what the store itself calls so: an error is an error, and a deleted version is not looked for elsewhere. Nor is
 * what an earlier run read there: its removal since was deliberate.
 */

type Window = Pick<PlanInputs, 'intent' | 'clock'>;

/** The old addresses, while they count. */
export function activeFallback({ intent, clock }: Window): FallbackRoute | undefined {
  const { fallbackUntil, route } = intent;
  return fallbackUntil !== undefined && clock.now() < fallbackUntil ? route.fallback : undefined;
}

export interface FoundElsewhere {
  /** The document with its old address as its source. */
  readonly document: PlannedDocument;
  readonly stored: StoredDocument;
}

/** What the old address has for a document whose own address is absent. Throws what the read throws. */
export async function readFallback(
  inputs: Window & Pick<PlanInputs, 'prior' | 'source' | 'signal' | 'onFallback'>,
  document: PlannedDocument,
): Promise<FoundElsewhere | undefined> {
  const fallback = activeFallback(inputs);
  if (fallback === undefined || wasReadUnderItsName(inputs, document.name)) return undefined;
  const source = fallback.sourceOf(document.name);
  const found = await inputs.source.read(source, inputs.signal);
  if (found.state !== 'present') return undefined;
  inputs.onFallback();
  return { document: { ...document, source }, stored: found.document };
}

/** Key names, and a version at the destination, are only known of what was read; a document may have no keys. */
function wasReadUnderItsName({ prior }: Pick<PlanInputs, 'prior'>, name: string): boolean {
  const record = prior.get(name);
  if (record === undefined || record.source?.path !== undefined) return false;
  return record.keys.length > 0 || record.destination?.version !== undefined;
}

/** Says of a missing document that it would have been looked for elsewhere, had the time not passed. */
export function fallbackHasEnded({ intent, clock }: Window): string | undefined {
  const { fallbackUntil } = intent;
  if (fallbackUntil === undefined || clock.now() < fallbackUntil) return undefined;
  return `spec.source.fallback ended at ${new Date(fallbackUntil).toISOString()}; old names are no longer read.`;
}
