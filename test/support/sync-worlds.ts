import type { Base } from '#src/core/outcome.ts';
import type { Version } from '#src/core/document.ts';
import type { BySide, Found, Observed, Side } from '#src/core/sync/observed.ts';
import { otherSide } from '#src/core/sync/observed.ts';
import type { SyncPolicy, SyncStep } from '#src/core/sync/three-way.ts';

/*
 * Every situation that a document in step can be in, as a finite space: which bytes each side has, which versions the base
 * has, and whether a store still tells the bytes of the base.
 */

/** `base` are the bytes that were proven; `both` is one other value at both sides. */
export type Bytes = 'base' | 'own-source' | 'own-destination' | 'both';

export type SideWorld =
  | { readonly state: 'unread' | 'absent' | 'deleted' | 'expired' }
  | {
      readonly state: 'present';
      readonly bytes: Bytes;
      /** In the version that was proven. */
      readonly isUntouched: boolean;
      readonly hold?: 'leaving' | 'owned';
      readonly isMarked: boolean;
      readonly keepsHistory: boolean;
    };

export interface World {
  readonly sides: BySide<SideWorld>;
  /** Which sides have a version on record. */
  readonly recorded: 'neither' | Side | 'both';
  /** A history still has the bytes of the base. */
  readonly isReadable: boolean;
}

export const SIDES: readonly Side[] = ['source', 'destination'];
const BOOLEANS = [true, false];

const AUTHORITIES = ['Source', 'Destination', 'Either'] as const;

const REVIVING: readonly SyncPolicy[] = AUTHORITIES.flatMap((authority) =>
  (['Fail', 'KeepDestination', 'Overwrite'] as const).flatMap((conflictPolicy) =>
    BOOLEANS.map((prune) => ({ authority, conflictPolicy, prune })),
  ),
);

/** Without `revives`, a deletion at the side that follows does not depend on `conflictPolicy`; the rest is as with it. */
const NOT_REVIVING: readonly SyncPolicy[] = AUTHORITIES.flatMap((authority) =>
  (['Fail', 'Overwrite'] as const).map((conflictPolicy) => ({
    authority,
    conflictPolicy,
    prune: true,
    revives: false,
  })),
);

export const POLICIES: readonly SyncPolicy[] = [...REVIVING, ...NOT_REVIVING];

function sideWorlds(side: Side): readonly SideWorld[] {
  const present = (['base', `own-${side}`, 'both'] as const).flatMap((bytes) =>
    BOOLEANS.filter((isUntouched) => !isUntouched || bytes === 'base').flatMap((isUntouched) =>
      [undefined, 'leaving' as const, 'owned' as const].flatMap((hold) =>
        BOOLEANS.flatMap((isMarked) =>
          BOOLEANS.map((keepsHistory) => ({
            state: 'present' as const,
            bytes,
            isUntouched,
            ...(hold === undefined ? {} : { hold }),
            isMarked,
            keepsHistory,
          })),
        ),
      ),
    ),
  );
  const others = (['unread', 'absent', 'deleted', 'expired'] as const).map((state) => ({ state }));
  return [...others, ...present];
}

export const WORLDS: readonly World[] = sideWorlds('source').flatMap((source) =>
  sideWorlds('destination').flatMap((destination) =>
    (['neither', 'source', 'destination', 'both'] as const).flatMap((recorded) =>
      BOOLEANS.map((isReadable) => ({ sides: { source, destination }, recorded, isReadable })),
    ),
  ),
);

export function versionOf(side: Side, found: SideWorld): Version {
  const isUntouched = found.state === 'present' && found.isUntouched;
  return { identity: side, revision: isUntouched ? 'base' : 'later' };
}

function foundIn(side: Side, world: SideWorld): Found {
  const version = versionOf(side, world);
  if (world.state === 'deleted') return { state: 'deleted', version };
  if (world.state === 'expired') return { state: 'deleted', version, expired: true };
  if (world.state !== 'present') return { state: world.state };
  const { bytes: _bytes, isUntouched: _isUntouched, ...rest } = world;
  return { ...rest, version };
}

export function bytesIn({ sides }: World, side: Side): Bytes | undefined {
  const found = sides[side];
  return found.state === 'present' ? found.bytes : undefined;
}

/** What the decision sees, without what only a history tells. */
export function withoutHistory(world: World): Observed {
  const { recorded, sides } = world;
  const recordOf = (side: Side): Base =>
    recorded === side || recorded === 'both' ? { [side]: { identity: side, version: 'base' } } : {};
  const { source, destination } = sides;
  const [left, right] = [bytesIn(world, 'source'), bytesIn(world, 'destination')];
  return {
    base: recorded === 'neither' ? undefined : { ...recordOf('source'), ...recordOf('destination') },
    sides: { source: foundIn('source', source), destination: foundIn('destination', destination) },
    areEqual: left !== undefined && left === right,
  };
}

/** The same with the bytes of the base, if they can be read. */
export function observedIn(world: World): Observed {
  const observed = withoutHistory(world);
  if (!world.isReadable || observed.base === undefined) return observed;
  const isBase = (side: Side): boolean => bytesIn(world, side) === 'base';
  return { ...observed, baseBytes: { source: isBase('source'), destination: isBase('destination') } };
}

/** The world after the step was carried out and its proof recorded. */
export function after(world: World, step: SyncStep): World {
  if (step.kind === 'moveBase') return proven(world, world.sides);
  if (step.kind === 'remove')
    return { ...world, sides: { ...world.sides, [step.from]: { state: 'absent' } } };
  if (step.kind !== 'write' && step.kind !== 'restore') return world;
  const from = world.sides[otherSide(step.to)];
  if (from.state !== 'present') throw new Error('copies what is not there');
  const { hold: _hold, ...copy } = from;
  return proven(world, { ...world.sides, [step.to]: { ...copy, isMarked: true } });
}

/** The present versions, with their bytes, become the base. */
function proven(world: World, sides: BySide<SideWorld>): World {
  const asBase = (found: SideWorld): SideWorld =>
    found.state === 'present' ? { ...found, bytes: 'base', isUntouched: true } : found;
  return {
    ...world,
    recorded: 'both',
    sides: { source: asBase(sides.source), destination: asBase(sides.destination) },
  };
}

/** Source and destination exchanged. */
export function swapped({ sides, recorded, isReadable }: World): World {
  const swap = (found: SideWorld): SideWorld => {
    if (found.state !== 'present' || !found.bytes.startsWith('own-')) return found;
    return { ...found, bytes: found.bytes === 'own-source' ? 'own-destination' : 'own-source' };
  };
  return {
    isReadable,
    recorded: recorded === 'source' || recorded === 'destination' ? otherSide(recorded) : recorded,
    sides: { source: swap(sides.destination), destination: swap(sides.source) },
  };
}

export function swappedPolicy({ authority, ...rest }: SyncPolicy): SyncPolicy {
  if (authority === 'Either') return { ...rest, authority };
  return { ...rest, authority: authority === 'Source' ? 'Destination' : 'Source' };
}
