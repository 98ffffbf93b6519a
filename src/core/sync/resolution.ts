import { boundedText } from '../bounded-text.ts';
import type { Outcome } from '../outcome.ts';
import type { SyncReason } from '#src/errors/reasons.ts';
import { otherSide, type BySide, type Found, type Observed, type Side } from './observed.ts';
import { ACCEPTED, badResolution, outdated, RESOLVED, SAID, type Said } from './said.ts';
import type { SyncPolicy, SyncStep } from './three-way.ts';

/*
 * Which side wins a conflict, as a user says it, and the step that follows (ADR 0062). Pure. A resolution is about the two
 * versions that it names: where another one is there now, it is only reported.
 */

/** What a user decided for one document. */
export interface Resolution {
  readonly winner: Side;
  /** The versions of both sides as a row shows them; undefined: nothing is there. */
  readonly seen: BySide<string | undefined>;
}

/** By name of the document; or why nothing of it could be read, as one short sentence. */
export type Resolutions = { readonly byName: ReadonlyMap<string, Resolution> } | { readonly problem: string };

export type ConflictStep = { readonly kind: 'conflict' } & Said;

/** A conflict, and what is known of it. */
export interface Contested {
  readonly policy: Pick<SyncPolicy, 'authority'>;
  readonly observed: Pick<Observed, 'sides' | 'areEqual'>;
  readonly conflict: ConflictStep;
  /** What the row says that the user saw. */
  readonly shown: Pick<Outcome, 'source' | 'destination'> | undefined;
}

/** A document that is being deleted or belongs to another object is not decided by its bytes. */
const RESOLVABLE: ReadonlySet<string> = new Set<SyncReason>([
  'BaseUnknown',
  'BothChanged',
  'DestinationDeleted',
  'DestinationDiffers',
  'DestinationEdited',
  'SourceDeleted',
  'SourceEdited',
]);

/** True for a conflict that a resolution can end. */
export function isResolvable({ reason }: { readonly reason?: string | undefined }): boolean {
  return reason !== undefined && RESOLVABLE.has(reason);
}

/** The step for a conflict: the one that the resolution of this document asks for, or the conflict, with what is wrong. */
export function resolved(contested: Contested, resolutions: Resolutions, name: string): SyncStep {
  const { conflict, observed } = contested;
  if (observed.areEqual || !isResolvable(conflict)) return conflict;
  if ('problem' in resolutions) return { ...conflict, message: badResolution(resolutions.problem) };
  const resolution = resolutions.byName.get(name);
  if (resolution === undefined) return conflict;
  if (!isAbout(contested, resolution)) {
    const { destination, source } = observed.sides;
    const now = { source: shownVersion(source), destination: shownVersion(destination) };
    return { ...conflict, message: outdated(now) };
  }
  return stepFor(contested, resolution.winner);
}

function stepFor({ conflict, observed: { sides }, policy }: Contested, winner: Side): SyncStep {
  const to = otherSide(winner);
  const from = sides[winner];
  const found = sides[to];
  const isOnlyRead = to === 'source' && policy.authority === 'Source';
  // Nothing is removed because a user prefers a deletion.
  if (isOnlyRead || from.state !== 'present')
    return { kind: 'keep', reason: conflict.reason, message: ACCEPTED };
  const write = { to, copies: from.version, ...RESOLVED[winner] };
  if (found.state === 'absent') return { kind: 'write', expect: 'absent', ...write };
  if (found.state === 'unread') return conflict;
  if (found.state === 'deleted')
    return { kind: 'restore', expect: found.version, keepFirst: false, ...write };
  const { hold, keepsHistory, version: expect } = found;
  if (hold !== undefined) return { kind: 'conflict', ...SAID[to][hold] };
  return { kind: 'restore', expect, keepFirst: !keepsHistory, ...write };
}

/** The versions that are there are those that the user saw, also where a path that was made again counts from 1. */
function isAbout({ observed: { sides }, shown }: Contested, { seen }: Resolution): boolean {
  const isSame = (side: Side): boolean => {
    const found = sides[side];
    if (found.state === 'unread' || shownVersion(found) !== seen[side]) return false;
    const row = shown?.[side];
    if (found.state === 'absent' || row?.identity === undefined || row.version !== found.version.revision)
      return true;
    return row.identity === found.version.identity;
  };
  return isSame('source') && isSame('destination');
}

/** Maximum length of a version in a row (src/api/v1alpha1/status-row.ts). */
const MAX_SHOWN = 64;

function shownVersion(found: Found): string | undefined {
  return found.state === 'absent' || found.state === 'unread'
    ? undefined
    : boundedText(found.version.revision, MAX_SHOWN);
}
