import { describe, expect, it } from 'vitest';
import { aFollowed, aSyncMigration, inStep, intentOf, type FollowedSpec } from '#test/support/followed.ts';
import { queriesOf } from './queries.ts';

const FROM_TREE = { source: 'tree', destination: 'flat' } as const;
const UNTIL = Date.parse('2026-06-01T00:00:00Z');

function sourceQueries(spec: FollowedSpec, nowMs = UNTIL - 1) {
  const { followed } = aFollowed(spec, FROM_TREE);
  const intent = intentOf(aSyncMigration(spec), FROM_TREE);
  return queriesOf({ followed, intent }, 'source', nowMs);
}

describe('the listings of a poll', () => {
  it('at the destination do not go into a folder without a document that is known', () => {
    const spec = { mapping: { path: '{namespace}/{name}/token' } };
    const { followed } = aFollowed(spec);
    followed.remember([inStep('a', '1', '1', 'ns/a/token')], 'all');
    const [query, ...others] = queriesOf(
      { followed, intent: intentOf(aSyncMigration(spec)) },
      'destination',
      0,
    );
    expect(others).toEqual([]);
    expect(query?.folder).toBe('ns');
    expect(['ns/a', 'ns/b', 'ns/a/token'].map((folder) => query?.skips?.(folder))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('at the destination want the documents that are known, and no other ones of the folder', () => {
    const { followed } = aFollowed();
    followed.remember([inStep('a', '1', '1')], 'all');
    const [query] = queriesOf({ followed, intent: intentOf(aSyncMigration()) }, 'destination', 0);
    expect(['ns/a', 'ns/of-another'].map((address) => query?.wants?.(address))).toEqual([true, false]);
  });

  it('at the source go into the folders of the names that are selected by name', () => {
    const [query] = sourceQueries({
      select: { names: ['x/y'] },
      mapping: { path: '{namespace}/{name}', segmentSeparator: '.' },
    });
    expect(query?.folder).toBe('ns');
    expect(['ns/x', 'ns/z'].map((folder) => query?.skips?.(folder))).toEqual([false, true]);
  });

  it('at the source go everywhere else for names that may be new', () => {
    expect(sourceQueries({ select: { all: true } })).toEqual([{ folder: 'ns' }]);
  });

  it('have the label selector of the spec', () => {
    const select = { labelSelector: { matchLabels: { team: 'core' } } };
    const intent = intentOf(aSyncMigration({ select }));
    const [query] = queriesOf({ followed: aFollowed({ select }).followed, intent }, 'source', 0);
    expect(query).toEqual({ folder: '', labelSelector: 'team=core' });
  });

  it('include the old addresses until the fallback ends', () => {
    const migration = aSyncMigration();
    const { route, selection } = intentOf(migration, FROM_TREE);
    const fallback = { folder: 'old', nameOf: () => undefined, sourceOf: (name: string) => `old/${name}` };
    const intent = { route: { ...route, fallback }, selection, fallbackUntil: UNTIL };
    const { followed } = aFollowed({}, FROM_TREE);
    const foldersAt = (nowMs: number) =>
      queriesOf({ followed, intent }, 'source', nowMs).map(({ folder }) => folder);
    expect(foldersAt(UNTIL - 1)).toEqual(['ns', 'old']);
    expect(foldersAt(UNTIL)).toEqual(['ns']);
  });
});
