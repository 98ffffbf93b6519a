import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Side } from '#src/core/sync/observed.ts';
import { POLICIES, SIDES } from '#test/support/sync-worlds.ts';
import { SyncPair } from '#test/support/sync-pair.ts';

/* Users edit both sides at random, runs are killed, rows and histories are lost: no edit disappears. */

type Act =
  | { readonly act: 'put'; readonly side: Side; readonly value: number }
  | { readonly act: 'remove' | 'prune'; readonly side: Side }
  | { readonly act: 'pass'; readonly isRecorded: boolean }
  | { readonly act: 'lose the status' };

const side = fc.constantFrom(...SIDES);
const value = fc.oneof(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 3, max: 9_999 }));
const put = fc.record({ act: fc.constant('put' as const), side, value });
const pass = fc.record({ act: fc.constant('pass' as const), isRecorded: fc.boolean() });
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: put },
  { weight: 4, arbitrary: pass },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('remove' as const, 'prune' as const), side }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('lose the status' as const) }) },
);
const policy = fc.constantFrom(...POLICIES);
const histories = fc.subarray([...SIDES]);

function actOn(pair: SyncPair, act: Exclude<Act, { act: 'pass' }>): void {
  if (act.act === 'put') pair.put(act.side, `value ${act.value}`);
  else if (act.act === 'remove') pair.remove(act.side);
  else if (act.act === 'prune') pair.keep(act.side, 1);
  else pair.base = undefined;
}

describe('random edits of both sides', () => {
  it('never disappear: each value that a pass replaces or removes was equal at both sides, or is kept', async () => {
    await fc.assert(
      fc.asyncProperty(
        policy,
        histories,
        fc.array(anyAct, { maxLength: 30 }),
        async (rules, keepsHistory, acts) => {
          const pair = new SyncPair({ keepsHistory });
          const proven = new Set<string>();
          for (const act of acts) {
            if (act.act !== 'pass') {
              actOn(pair, act);
              continue;
            }
            const before = SIDES.map((each) => ({ each, value: pair.valueAt(each) }));
            await pair.pass(rules, act.isRecorded);
            for (const { each, value } of before) {
              if (value === undefined || pair.valueAt(each) === value) continue;
              const isKept = proven.has(value) || pair.backups.includes(value) || pair.remembers(each, value);
              expect(isKept, `${value} at the ${each}`).toBe(true);
            }
            const [source, destination] = SIDES.map((each) => pair.valueAt(each));
            if (source !== undefined && source === destination) proven.add(source);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('arrive at the other side if a pass follows each, also if it was killed before its record', async () => {
    const edits = fc.array(fc.record({ side, value, isKilled: fc.boolean() }));
    await fc.assert(
      fc.asyncProperty(edits, histories, async (all, keepsHistory) => {
        const pair = new SyncPair({ keepsHistory });
        const rules = { authority: 'Either', conflictPolicy: 'Fail', prune: false } as const;
        for (const edit of all) {
          pair.put(edit.side, `value ${edit.value}`);
          await pair.pass(rules, !edit.isKilled);
          for (const each of SIDES) expect(pair.valueAt(each)).toBe(`value ${edit.value}`);
          if (edit.isKilled) await pair.pass(rules);
          expect(await pair.decide(rules)).toEqual({ kind: 'nothing' });
        }
      }),
      { numRuns: 200 },
    );
  });
});
