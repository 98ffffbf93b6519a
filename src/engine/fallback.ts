import type { StoredDocument } from '#src/core/document.ts';
import type { FallbackRoute } from '#src/core/mapping/route.ts';
import type { Item } from './item.ts';
import type { RunContext } from './run-context.ts';

/*
 * During a re-key window a document that is absent under its own address may still be found at its old one. Absent is
 * only what the store itself calls so: an error is an error, and a deleted version is not looked for elsewhere. Nor is
 * what was there in an earlier run: whoever removed it since meant to.
 */

/** The old addresses, while they count. */
export function activeFallback({ intent, clock }: RunContext): FallbackRoute | undefined {
  const { fallbackUntil, route } = intent;
  return fallbackUntil !== undefined && clock.now() < fallbackUntil ? route.fallback : undefined;
}

export interface Found {
  readonly item: Item;
  readonly document: StoredDocument;
}

/** What the old address has for a document whose own address is absent. Throws what the read throws. */
export async function readFallback(context: RunContext, item: Item): Promise<Found | undefined> {
  const fallback = activeFallback(context);
  if (fallback === undefined || wasReadUnderItsName(context, item.name)) return undefined;
  const source = fallback.sourceOf(item.name);
  const found = await context.source.read(source, context.signal);
  if (found.state !== 'present') return undefined;
  context.onFallback();
  return { item: { ...item, source }, document: found.document };
}

/** Field names, and a version at the destination, are only known of what was read; a document may have no fields. */
function wasReadUnderItsName({ journal }: RunContext, name: string): boolean {
  const prior = journal.prior.get(name);
  if (prior === undefined || prior.source !== undefined) return false;
  return prior.keys.length > 0 || prior.destination?.version !== undefined;
}

/** Says of a missing document that it would have been looked for elsewhere, had the time not passed. */
export function fallbackHasEnded({ intent, clock }: RunContext): string | undefined {
  const { fallbackUntil } = intent;
  if (fallbackUntil === undefined || clock.now() < fallbackUntil) return undefined;
  return `spec.source.fallback ended at ${new Date(fallbackUntil).toISOString()}; old names are no longer read.`;
}
