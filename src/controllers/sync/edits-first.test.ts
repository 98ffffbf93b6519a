import { describe, expect, it } from 'vitest';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { NAMESPACE_INDEX } from '#src/controllers/projections.ts';
import { Store } from '#src/runtime/store.ts';
import { aSyncMigration, type FollowedSpec } from '#test/support/followed.ts';
import { SyncRig } from '#test/support/sync-rig.ts';
import { awaitingPass } from './edits-first.ts';

function storeOf(...migrations: readonly (readonly [name: string, spec: FollowedSpec])[]) {
  const store = new Store<SecretMigration>(NAMESPACE_INDEX);
  for (const [name, spec] of migrations) store.set(aSyncMigration(spec, { name }));
  store.set(aSyncMigration({}, { name: 'elsewhere', namespace: 'elsewhere' }));
  return store;
}

describe('a Secret that changes before the first pass', () => {
  it('makes the passes of the migrations urgent that may select it, and no others', async () => {
    await using rig = new SyncRig();
    const store = storeOf(
      ['all', { select: { all: true } }],
      ['named', { select: { names: ['b', 'a'] } }],
      ['another', { select: { names: ['b'] } }],
      ['prefix', { select: { prefix: 'a' } }],
      ['another-prefix', { select: { prefix: 'b' } }],
      ['labels', { select: { labelSelector: { matchLabels: { team: 'core' } } } }],
      ['once', { mode: 'Once' }],
      ['dry', { dryRun: true }],
    );
    const urgent = () => [...awaitingPass(store, rig.following, { namespace: 'ns', name: 'a' })];
    expect(urgent().toSorted()).toEqual(['ns/all', 'ns/labels', 'ns/named', 'ns/prefix']);
    rig.begin([], {}, { name: 'all' });
    expect(urgent().toSorted()).toEqual(['ns/labels', 'ns/named', 'ns/prefix']);
  });
});
