import { expect, it } from 'vitest';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { Store } from '#src/runtime/store.ts';
import { aMigration } from '#test/builders/objects.ts';
import { isStaleClaim } from './claims.ts';

const OWN = 'own-uid';
const context = { reconcileId: 'r'.repeat(36) };

function migrationOf(uid: string): SecretMigration {
  const metadata = { name: uid, namespace: 'team', uid, resourceVersion: '1', generation: 1 };
  const parsed = parseSecretMigration({ ...aMigration(uid), metadata });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.value;
}

/** Whether the run of `own-uid` releases this claim, where the cache has `other-uid` too. */
function isReleased(claim: string, knowsAllMigrations: boolean): boolean {
  const cache = new Store<SecretMigration>();
  for (const uid of [OWN, 'other-uid']) cache.set(migrationOf(uid));
  const migration = migrationOf(OWN);
  return isStaleClaim({ parts: { cache, knowsAllMigrations }, context, migration }, claim);
}

it('releases the claims of its own earlier runs, and those of migrations that are gone', () => {
  expect(isReleased(`${OWN}.earlier`, true)).toBe(true);
  expect(isReleased('gone-uid.run', true)).toBe(true);
  expect(isReleased('other-uid.run', true)).toBe(false);
});

it('leaves the claims of all others alone where it does not know which migrations there are', () => {
  expect(isReleased(`${OWN}.earlier`, false)).toBe(true);
  expect(isReleased('gone-uid.run', false)).toBe(false);
});
