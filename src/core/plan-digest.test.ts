import { describe, expect, it } from 'vitest';
import { planDigest } from './plan-digest.ts';
import type { Outcome, Planned } from './outcome.ts';

const PLANNED: Planned = {
  action: 'Overwrite',
  path: 'ns/a',
  source: { version: '1', identity: 'x' },
  destination: { version: '2', identity: 'y' },
  removal: 'Delete',
};

function aRow(rest: Partial<Outcome> = {}): Outcome {
  return { name: 'a', keys: ['k'], state: 'Pending', planned: PLANNED, ...rest };
}

describe('the digest of a plan', () => {
  const digest = planDigest({ spec: 1 }, [aRow()]);

  it.each<readonly [string, Outcome]>([
    ['the name', aRow({ name: 'b' })],
    ['a key', aRow({ keys: ['k', 'l'] })],
    ['the action', aRow({ planned: { ...PLANNED, action: 'Create' } })],
    ['the path', aRow({ planned: { ...PLANNED, path: 'ns/b' } })],
    ['the version of the source', aRow({ planned: { ...PLANNED, source: { version: '2', identity: 'x' } } })],
    [
      'the source that was made again',
      aRow({ planned: { ...PLANNED, source: { version: '1', identity: 'z' } } }),
    ],
    ['the version at the destination', aRow({ planned: { ...PLANNED, destination: { version: '3' } } })],
    ['the removal', aRow({ planned: { ...PLANNED, removal: 'Backup' } })],
    ['what holds the removal', aRow({ planned: { ...PLANNED, held: 'TrustRoot' } })],
    ['a loss', aRow({ planned: { ...PLANNED, losesMetadata: true } })],
  ])('is another one with another value for %s', (_what, row) => {
    expect(planDigest({ spec: 1 }, [row])).not.toBe(digest);
  });

  it('is another one for another spec, and for one document more', () => {
    expect(planDigest({ spec: 2 }, [aRow()])).not.toBe(digest);
    expect(planDigest({ spec: 1 }, [aRow(), aRow({ name: 'b' })])).not.toBe(digest);
  });

  it('is the same one for another state, another order and a row without a plan', () => {
    const done = aRow({ state: 'Removed', reason: 'AwaitingSoak', source: { version: '9' } });
    expect(planDigest({ spec: 1 }, [done, { name: 'new', keys: [], state: 'Failed' }])).toBe(digest);
    const about = { b: [2, 1], a: { d: 1, c: undefined } };
    const other = { a: { d: 1 }, b: [2, 1] };
    expect(planDigest(about, [aRow({ name: 'b' }), aRow()])).toBe(
      planDigest(other, [aRow(), aRow({ name: 'b' })]),
    );
  });
});
