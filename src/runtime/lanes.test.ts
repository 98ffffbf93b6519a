import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lanes } from './lanes.ts';

/** `tenant/key` */
const groupOf = (key: string): string => key.slice(0, key.indexOf('/'));

test('groups take turns, whatever the order in which their keys came', () => {
  const lanes = new Lanes({ groupOf, mostPerGroup: 10 });
  for (const key of ['a/1', 'a/2', 'a/3', 'b/1', 'c/1', 'b/2']) lanes.push(key);
  const taken = Array.from({ length: 6 }, () => lanes.shift());
  expect(taken).toEqual(['a/1', 'b/1', 'c/1', 'a/2', 'b/2', 'a/3']);
  expect(lanes.shift()).toBeUndefined();
});

test('a group that has all it may have waits for one of its own keys to end, also while nothing else waits', () => {
  const lanes = new Lanes({ groupOf, mostPerGroup: 2 });
  for (const key of ['a/1', 'a/2', 'a/3']) lanes.push(key);
  expect([lanes.shift(), lanes.shift(), lanes.shift()]).toEqual(['a/1', 'a/2', undefined]);
  lanes.push('b/1');
  expect(lanes.shift()).toBe('b/1');
  expect(lanes.end('b/1')).toBe(false);
  expect(lanes.end('a/1')).toBe(true);
  expect(lanes.shift()).toBe('a/3');
});

test('of four turns three are those of normal keys, and one is that of the group that waits longest', () => {
  const lanes = new Lanes({ groupOf, mostPerGroup: 100 });
  for (let key = 0; key < 9; key += 1) {
    lanes.push(`busy/${key}`);
    lanes.push(`a/${key}`, 'low');
    lanes.push(`b/${key}`, 'low');
  }
  const groups = Array.from({ length: 8 }, () => groupOf(lanes.shift() ?? ''));
  expect(groups).toEqual(['busy', 'busy', 'busy', 'a', 'busy', 'busy', 'busy', 'b']);
});

test('a key that was promoted twice, with another low turn between, comes twice and not more often', () => {
  const lanes = new Lanes({ groupOf, mostPerGroup: 100 });
  const taken: (string | undefined)[] = [];
  for (let round = 0; round < 2; round += 1) {
    lanes.push('a/1', 'low');
    lanes.promote('a/1');
    taken.push(lanes.shift());
  }
  expect(taken).toEqual(['a/1', 'a/1']);
  for (let turn = 0; turn < 8; turn += 1) expect(lanes.shift()).toBeUndefined();
});

test('whatever the priorities, no key is lost, none comes twice, and each group has its turn', () => {
  const push = fc.record({
    group: fc.constantFrom('a', 'b', 'c'),
    low: fc.boolean(),
    promoted: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(push, { maxLength: 60 }), (pushes) => {
      const lanes = new Lanes({ groupOf, mostPerGroup: MOST });
      const expected = pushes.map(({ group }, index) => `${group}/${index}`);
      pushes.forEach(({ low, promoted }, index) => {
        lanes.push(expected[index] ?? '', low ? 'low' : 'normal');
        if (low && promoted) lanes.promote(expected[index] ?? '');
      });
      const taken: string[] = [];
      for (let key = lanes.shift(); key !== undefined; key = lanes.shift()) {
        taken.push(key);
        lanes.end(key);
      }
      expect(taken.toSorted()).toEqual(expected.toSorted());
      for (const group of ['a', 'b', 'c']) {
        const first = taken.findIndex((key) => groupOf(key) === group);
        expect(first).toBeLessThan(4 * 3);
      }
    }),
  );
});

interface State {
  /** Keys that wait, by group. */
  readonly waiting: Map<string, Set<string>>;
  readonly active: Map<string, Set<string>>;
  /** Keys handed out to others while a group could have had the next one. */
  readonly passedOver: Map<string, number>;
}

const GROUPS = ['a', 'b', 'c', 'd'];
const MOST = 2;

test('no group is passed over more often than there are others, none has more than it may, and no key is lost', () => {
  const step = fc.record({
    call: fc.constantFrom('push' as const, 'shift' as const, 'end' as const),
    group: fc.constantFrom(...GROUPS),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const lanes = new Lanes({ groupOf, mostPerGroup: MOST });
      const ofEach = (): Map<string, Set<string>> => new Map(GROUPS.map((group) => [group, new Set()]));
      const state: State = { waiting: ofEach(), active: ofEach(), passedOver: new Map() };
      steps.forEach(({ call, group }, index) => {
        if (call === 'push') {
          lanes.push(`${group}/${index}`);
          state.waiting.get(group)?.add(`${group}/${index}`);
        } else if (call === 'shift') take(lanes, state);
        else {
          const [key] = state.active.get(group) ?? [];
          if (key === undefined) return;
          state.active.get(group)?.delete(key);
          lanes.end(key);
        }
      });
      drain(lanes, state);
    }),
  );
});

const couldHaveNext = ({ active, waiting }: State, group: string): boolean =>
  (waiting.get(group)?.size ?? 0) > 0 && (active.get(group)?.size ?? 0) < MOST;

function take(lanes: Lanes, state: State): void {
  const candidates = GROUPS.filter((group) => couldHaveNext(state, group));
  const key = lanes.shift();
  if (key === undefined) {
    expect(candidates).toEqual([]);
    return;
  }
  const group = groupOf(key);
  expect(candidates).toContain(group);
  expect(state.waiting.get(group)?.delete(key)).toBe(true);
  state.active.get(group)?.add(key);
  for (const other of GROUPS) {
    const isPassed = other !== group && candidates.includes(other);
    const times = isPassed ? (state.passedOver.get(other) ?? 0) + 1 : 0;
    expect(times).toBeLessThan(GROUPS.length);
    state.passedOver.set(other, times);
  }
}

function drain(lanes: Lanes, state: State): void {
  const left = (): number => [...state.waiting.values()].reduce((sum, keys) => sum + keys.size, 0);
  while (left() > 0) {
    for (const keys of state.active.values()) {
      for (const key of keys) lanes.end(key);
      keys.clear();
    }
    take(lanes, state);
  }
}
