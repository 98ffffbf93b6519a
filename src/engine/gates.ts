import { MAX_ROW_MESSAGE } from '#src/api/v1alpha1/status-row.ts';
import type { Address, Ties } from '#src/core/document.ts';
import type { Side } from '#src/core/sync/observed.ts';
import { fitted } from '#src/errors/explain.ts';
import type { GateReason } from '#src/errors/reasons.ts';

/**
 * A condition for the removal of a source, or of a destination whose source was deleted; each gate checks one fact. The plan asks
 * the gates in order, to show what is held; they are asked again right before the removal. A gate can ask a server for its fact:
 * what it cannot tell holds the removal. It throws only the reason of the signal.
 */
export type RemovalGate = (
  document: RemovalCandidate,
  asked: Asked,
) => Held | undefined | Promise<Held | undefined>;

/** How fresh a fact must be: a plan is shown, a removal follows at once. */
export interface Asked {
  readonly for: 'plan' | 'removal';
  readonly signal: AbortSignal;
}

export interface RemovalCandidate {
  /** The name of the document at the source; of a destination its address. */
  readonly name: string;
  /** The address that is removed. */
  readonly source: Address;
  /** What else depends on it, as it says itself. Absent where it was not read. */
  readonly ties?: Ties;
}

/** Why a document stays that would be removed. */
export interface Held {
  readonly reason: GateReason;
  readonly message: string;
  /** Set when the removal is still wanted: without it the document is done. */
  readonly retry?: 'later';
}

/** The first gate that holds the removal of this document, or undefined. */
export async function heldBy(
  gates: readonly RemovalGate[],
  document: RemovalCandidate,
  asked: Asked,
): Promise<Held | undefined> {
  for (const gate of gates) {
    const held = await gate(document, asked);
    if (held !== undefined) return held;
  }
  return undefined;
}

/**
 * Holds the Secrets that a backend needs for its credentials. `holderOf` returns the backend that needs the Secret of this
 * name, or undefined.
 */
export function trustRootGate(
  holderOf: (name: string) => string | undefined,
  side: Side = 'source',
): RemovalGate {
  return ({ name }) => {
    const holder = holderOf(name);
    if (holder === undefined) return undefined;
    const message = `The ${side} is kept: ${holder} reads its credentials from this Secret.`;
    return { reason: 'TrustRoot', message };
  };
}

/** Holds a source that another live migration writes. `crossingAt` returns why, or undefined. */
export function crossingGate(crossingAt: (source: Address) => string | undefined): RemovalGate {
  return ({ source }) => {
    const message = crossingAt(source);
    return message === undefined ? undefined : { reason: 'CrossingMigrations', message, retry: 'later' };
  };
}

/** Why a document is not copied, although the selection contains it; undefined if it may be. */
export type CopyGate = (
  document: Pick<RemovalCandidate, 'name'>,
) => { readonly reason: 'TrustRoot'; readonly message: string } | undefined;

/** Holds the same Secrets back from a copy. All of them, with CA certificates: one Secret can hold both. */
export function credentialGate(holderOf: (name: string) => string | undefined): CopyGate {
  return ({ name }) => {
    const holder = holderOf(name);
    if (holder === undefined) return undefined;
    const happened = `Not copied: ${holder} reads its credentials from this Secret.`;
    const hint = 'To copy it, list it in spec.select.names.';
    return { reason: 'TrustRoot', message: fitted({ happened, hint }, MAX_ROW_MESSAGE) };
  };
}

/**
 * Holds every source while it is unknown which Secrets are a trust root. `unparsed` returns a backend whose credentials
 * cannot be told, or undefined.
 */
export function knownTrustRootGate(unparsed: () => string | undefined, side: Side = 'source'): RemovalGate {
  return () => {
    const backend = unparsed();
    if (backend === undefined) return undefined;
    const message = `The ${side} is kept: ${backend} is not valid, so the Secrets that it reads are unknown. Correct or delete it.`;
    return { reason: 'TrustRoot', message, retry: 'later' };
  };
}

/**
 * Holds every source while backends exist perhaps that may not be listed: they can read any of the Secrets. `unlisted` returns
 * who lacks which right, and who grants it, or undefined.
 */
export function listedTrustRootGate(
  unlisted: () => { readonly lacks: string; readonly hint: string } | undefined,
  side: Side = 'source',
): RemovalGate {
  return () => {
    const found = unlisted();
    if (found === undefined) return undefined;
    const happened = `The ${side} is kept: ${found.lacks}, so the Secrets that they read are unknown.`;
    const message = fitted({ happened, hint: found.hint }, MAX_ROW_MESSAGE);
    return { reason: 'TrustRoot', message, retry: 'later' };
  };
}

/**
 * Holds every removal while the own clock is wrong, or that of a server: soak and the life of a backup are counted in wall
 * clock time. `differing` returns the first server whose clock differs from the own one, or undefined.
 */
export function clockGate(differing: () => string | undefined): () => Held | undefined {
  return () => {
    const server = differing();
    if (server === undefined) return undefined;
    const happened = `Nothing is removed: the clocks of the operator and of ${server} differ.`;
    const message = fitted({ happened, hint: 'Synchronize them (NTP).' }, MAX_ROW_MESSAGE);
    return { reason: 'ClockSkew', message, retry: 'later' };
  };
}
