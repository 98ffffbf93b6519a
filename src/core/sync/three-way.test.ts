import { describe, expect, it } from 'vitest';
import type { Expectation } from '../document.ts';
import { MAX_ROW_MESSAGE } from '#src/api/v1alpha1/status-row.ts';
import {
  after,
  bytesIn,
  observedIn,
  POLICIES,
  SIDES,
  swapped,
  swappedPolicy,
  versionOf,
  withoutHistory,
  WORLDS,
  type World,
} from '#test/support/sync-worlds.ts';
import { otherSide, type BySide, type Observed, type Side } from './observed.ts';
import { decideSync, needsBaseBytes, type SyncPolicy, type SyncStep } from './three-way.ts';

/* Each rule holds in every situation that there is, under every policy: the space is finite, so all of it is tried. */

/** The space is large, and the machine can be busy. */
const IN_TIME = { timeout: 60_000 };

interface Case {
  readonly world: World;
  readonly observed: Observed;
  readonly policy: SyncPolicy;
  readonly step: SyncStep;
}

const CASES: readonly Case[] = WORLDS.flatMap((world) => {
  const observed = observedIn(world);
  return POLICIES.map((policy) => ({ world, observed, policy, step: decideSync(policy, observed) }));
});

/** The first cases for which the rule does not hold. */
function exceptions(rule: (each: Case) => boolean): readonly Case[] {
  return CASES.filter((each) => !rule(each)).slice(0, 2);
}

function leads(side: Side, { authority }: SyncPolicy): boolean {
  return authority === (side === 'source' ? 'Source' : 'Destination');
}

function written(step: SyncStep): Side | undefined {
  return step.kind === 'write' || step.kind === 'restore' ? step.to : undefined;
}

function changes(step: SyncStep): boolean {
  return written(step) !== undefined || step.kind === 'remove';
}

/** The bytes at a side whose end another writer has not decided. */
function at(world: World, side: Side): string {
  return bytesIn(world, side) ?? 'none';
}

/** What can be known: a version of the base is there, or a history has it. */
function isBaseKnown({ recorded, sides, isReadable }: World): boolean {
  if (recorded === 'neither') return false;
  const isAt = (side: Side): boolean =>
    (recorded === 'both' || recorded === side) &&
    sides[side].state === 'present' &&
    versionOf(side, sides[side]).revision === 'base';
  return isReadable || isAt('source') || isAt('destination');
}

describe('a step', IN_TIME, () => {
  it('is chosen in every situation', () => {
    expect(CASES.length).toBeGreaterThan(300_000);
    expect(new Set(CASES.map(({ step }) => step.kind))).toEqual(
      new Set(['nothing', 'moveBase', 'write', 'restore', 'remove', 'conflict', 'keep']),
    );
  });

  it('destroys no bytes that are newer than the base, unless a history or a backup keeps them', () => {
    const isSafe = ({ world, step }: Case): boolean => {
      const side = step.kind === 'remove' ? step.from : written(step);
      if (side === undefined) return true;
      const found = world.sides[side];
      if (found.state !== 'present' || found.bytes === 'base') return true;
      return step.kind === 'restore' && (found.keepsHistory || step.keepFirst);
    };
    expect(exceptions(isSafe)).toEqual([]);
  });

  it('writes nothing where both sides are equal, and nothing at all if they are in the versions of the base', () => {
    const equal = CASES.filter(({ observed }) => observed.areEqual);
    expect(equal.filter(({ step }) => step.kind !== 'nothing' && step.kind !== 'moveBase')).toEqual([]);
    const isStill = ({ world }: Case): boolean =>
      world.recorded === 'both' &&
      SIDES.every((side) => versionOf(side, world.sides[side]).revision === 'base');
    expect(equal.filter((each) => isStill(each) !== (each.step.kind === 'nothing'))).toEqual([]);
  });

  it('writes nothing where both sides are there, differ, and no base is known', () => {
    const isUnknown = ({ world, observed }: Case): boolean =>
      SIDES.every((side) => at(world, side) !== 'none') && !observed.areEqual && !isBaseKnown(world);
    expect(exceptions((each) => !isUnknown(each) || each.step.kind === 'conflict')).toEqual([]);
  });

  it('leaves two different changes to a user, or undoes the one at the side that follows', () => {
    const isBoth = ({ world, observed }: Case): boolean =>
      SIDES.every((side) => at(world, side) !== 'none' && at(world, side) !== 'base') && !observed.areEqual;
    const isLeft = ({ policy, step }: Case): boolean => {
      if (step.kind === 'conflict') return true;
      const { authority, conflictPolicy } = policy;
      if (step.kind !== 'restore' || authority === 'Either') return false;
      return conflictPolicy === 'Overwrite' && !leads(step.to, policy);
    };
    expect(exceptions((each) => !isBoth(each) || isLeft(each))).toEqual([]);
  });

  it('never takes another version with the bytes of the base for a change', () => {
    const isFollowed = ({ world, step }: Case): boolean => {
      const to = written(step);
      if (to === undefined || at(world, to) === 'none') return true;
      return at(world, otherSide(to)) !== 'base' || step.kind === 'restore';
    };
    expect(exceptions(isFollowed)).toEqual([]);
    const isDrift = ({ world, step }: Case): boolean =>
      !('reason' in step) ||
      !step.reason.endsWith('Edited') ||
      at(world, step.reason === 'SourceEdited' ? 'source' : 'destination') !== 'base';
    expect(exceptions(isDrift)).toEqual([]);
  });

  it('changes nothing while one side cannot be read', () => {
    const isUnread = ({ world }: Case): boolean => SIDES.some((side) => world.sides[side].state === 'unread');
    expect(exceptions((each) => !isUnread(each) || each.step.kind === 'nothing')).toEqual([]);
  });

  it('removes only with prune, a mark and the bytes of the base, after a deletion at the side that leads', () => {
    const mayRemove = ({ world, policy, step }: Case): boolean => {
      if (step.kind !== 'remove') return true;
      const [found, gone] = [world.sides[step.from], world.sides[otherSide(step.from)]];
      return (
        policy.prune &&
        !leads(step.from, policy) &&
        isBaseKnown(world) &&
        found.state === 'present' &&
        found.isMarked &&
        found.hold === undefined &&
        found.bytes === 'base' &&
        /^(absent|deleted)$/.test(gone.state)
      );
    };
    expect(exceptions(mayRemove)).toEqual([]);
    expect(CASES.some(({ step }) => step.kind === 'remove')).toBe(true);
  });

  it('never brings back what was deleted at the side that leads, or at any side if both can lead', () => {
    const isEnd = ({ world, policy, step }: Case): boolean => {
      const to = written(step);
      if (to === undefined || at(world, to) !== 'none') return true;
      if (world.recorded === 'neither') return world.sides[to].state === 'absent';
      return !leads(to, policy) && policy.authority !== 'Either';
    };
    expect(exceptions(isEnd)).toEqual([]);
  });
});

describe('a step for two names of one document', IN_TIME, () => {
  it('never brings back what was there and is gone, at any side', () => {
    const isEnd = ({ world, policy, step }: Case): boolean => {
      const to = written(step);
      return policy.revives !== false || world.recorded === 'neither' || !to || at(world, to) !== 'none';
    };
    expect(exceptions(isEnd)).toEqual([]);
    const isFinal = ({ policy, step }: Case): boolean =>
      policy.revives === false && step.kind === 'keep' && step.message.includes('not written again');
    expect(CASES.some(isFinal)).toBe(true);
  });
});

describe('a step that changes something', IN_TIME, () => {
  it('spares a document that is being deleted or belongs to another object', () => {
    const isFree = ({ world, step }: Case): boolean => {
      const side = step.kind === 'remove' ? step.from : written(step);
      const found = side === undefined ? undefined : world.sides[side];
      return found?.state !== 'present' || found.hold === undefined;
    };
    expect(exceptions(isFree)).toEqual([]);
  });

  it('expects exactly the versions that were read', () => {
    const isExact = ({ observed: { sides }, step }: Case): boolean => {
      const isAt = (side: Side, expected: Expectation): boolean => {
        const found = sides[side];
        return ('version' in found ? found.version : found.state) === expected;
      };
      if (step.kind === 'write' || step.kind === 'restore')
        return isAt(step.to, step.expect) && isAt(otherSide(step.to), step.copies);
      if (step.kind !== 'remove') return true;
      return isAt(step.from, step.expect) && isAt(otherSide(step.from), step.whileOther);
    };
    expect(exceptions(isExact)).toEqual([]);
  });

  it('is followed by nothing to do', () => {
    const isDone = ({ world, policy, step }: Case): boolean =>
      decideSync(policy, observedIn(after(world, step))).kind === 'nothing';
    expect(
      exceptions((each) => !(changes(each.step) || each.step.kind === 'moveBase') || isDone(each)),
    ).toEqual([]);
  });
});

const OTHER: Readonly<Record<string, string>> = {
  source: 'destination',
  destination: 'source',
  Source: 'Destination',
  Destination: 'Source',
};
const WORDS = new Map<string, string>();

/** A word with source and destination exchanged. */
function mirrored(word: string): string {
  const known = WORDS.get(word) ?? word.replaceAll(/source|destination/gi, (each) => OTHER[each] ?? each);
  WORDS.set(word, known);
  return known;
}

/** A step in words, without its message. */
function wordsOf(step: SyncStep): readonly string[] {
  const versionText = (version: Expectation): string =>
    version === 'absent' ? version : `${version.identity} ${version.revision}`;
  if (step.kind === 'nothing' || step.kind === 'moveBase') return [step.kind];
  if (step.kind === 'write' || step.kind === 'restore')
    return [step.kind, step.to, versionText(step.expect), versionText(step.copies), step.reason];
  if (step.kind === 'remove')
    return [step.kind, step.from, versionText(step.expect), versionText(step.whileOther), step.reason];
  return [step.kind, step.reason];
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((word, index) => word === right[index]);
}

function messageOf(step: SyncStep): string {
  return 'message' in step ? step.message : '';
}

describe('the decision', IN_TIME, () => {
  it('is the same with source and destination exchanged, for the exchanged authority', () => {
    const observedSwapped = new Map(WORLDS.map((world) => [world, observedIn(swapped(world))]));
    const isMirrored = ({ world, policy, step }: Case): boolean => {
      const other = decideSync(swappedPolicy(policy), observedSwapped.get(world) ?? observedIn(world));
      return isSame(wordsOf(other), wordsOf(step).map(mirrored));
    };
    expect(exceptions(isMirrored)).toEqual([]);
  });

  it('with authority Either depends on no conflictPolicy', () => {
    const isFree = ({ observed, policy, step }: Case): boolean => {
      if (policy.authority !== 'Either') return true;
      return isSame(wordsOf(step), wordsOf(decideSync({ ...policy, conflictPolicy: 'Fail' }, observed)));
    };
    expect(exceptions(isFree)).toEqual([]);
  });

  it('asks for the bytes of the base exactly where they can change the step', () => {
    const answers = [true, false].flatMap((source) =>
      [true, false].map((destination) => ({ source, destination })),
    );
    const isAsked = (observed: Observed, policy: SyncPolicy): boolean => {
      const step = decideSync(policy, observed);
      const isOther = (baseBytes: BySide<boolean>): boolean => {
        const other = decideSync(policy, { ...observed, baseBytes });
        return messageOf(step) !== messageOf(other) || !isSame(wordsOf(step), wordsOf(other));
      };
      return answers.some(isOther) === needsBaseBytes(policy, observed);
    };
    const open = WORLDS.filter(({ isReadable }) => !isReadable).map(withoutHistory);
    const wrong = open.filter((observed) => !POLICIES.every((policy) => isAsked(observed, policy)));
    expect(wrong.slice(0, 2)).toEqual([]);
  });

  it('writes the value of the side that leads again where the mapping changed, and asks where none leads', () => {
    const base = { source: { version: '1', identity: 's' }, destination: { version: '1', identity: 'd' } };
    const present = { state: 'present', isMarked: true, keepsHistory: true } as const;
    const sides = {
      source: { ...present, version: { identity: 's', revision: '1' } },
      destination: { ...present, version: { identity: 'd', revision: '1' } },
    };
    const reasons = { Source: 'FollowedSource', Destination: 'FollowedDestination', Either: 'BaseUnknown' };
    for (const policy of POLICIES) {
      const step = decideSync(policy, { base, sides, areEqual: false });
      expect(step).toMatchObject({ reason: reasons[policy.authority] });
    }
  });

  it('says why, in a text that fits into a row', () => {
    const said = new Map(
      CASES.flatMap(({ step }) => ('reason' in step ? [[step.message, step.reason]] : [])),
    );
    expect(said.size).toBeGreaterThan(20);
    for (const message of said.keys()) {
      expect(message).toMatch(/^[A-Z].*\.$/);
      expect(message.length).toBeLessThanOrEqual(MAX_ROW_MESSAGE);
    }
  });
});
