import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { VersionState } from '#src/backends/listing.ts';
import { Followed } from '#src/controllers/sync/followed.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { Addressing } from '#src/core/mapping/route.ts';
import { toIntent } from '#src/engine/plan/compile.ts';
import type { Intent } from '#src/engine/plan/intent.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from './manual-clock.ts';

type Spec = SecretMigration['spec'];
export type FollowedSpec = Partial<Omit<Spec, 'source' | 'destination'>> & {
  readonly from?: string;
  readonly to?: string;
};

/** A migration of mode Sync in the namespace `ns`, of everything from `kubernetes` to `bao`, except what is said otherwise. */
export function aSyncMigration(
  spec: FollowedSpec = {},
  metadata: Partial<SecretMigration['metadata']> = {},
): SecretMigration {
  const parsed = parseSecretMigration({
    ...aMigration('m', { mode: 'Sync', ...spec }),
    metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1, ...metadata },
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

/** The spec as the engine carries it out. Default: from a flat store to a tree. */
export function intentOf(
  migration: SecretMigration,
  {
    source = 'flat',
    destination = 'tree',
  }: { readonly source?: Addressing; readonly destination?: Addressing } = {},
): Intent {
  const traitsOf = (addressing: Addressing) => ({
    addressing,
    concurrency: 1,
    statesAttributes: addressing === 'flat',
  });
  return toIntent(migration, { source: traitsOf(source), destination: traitsOf(destination) });
}

/** A Followed of such a migration. */
export function aFollowed(
  spec: FollowedSpec = {},
  ends: Parameters<typeof intentOf>[1] = {},
  onPropagated: (ms: number) => void = () => undefined,
) {
  const migration = aSyncMigration(spec);
  const { selection, route } = intentOf(migration, ends);
  const clock = new ManualClock();
  const { labelSelector } = migration.spec.select;
  const isSplit = migration.spec.mapping.split !== undefined;
  return { followed: new Followed({ selection, route, labelSelector, isSplit, clock, onPropagated }), clock };
}

export function present(revision: string, identity = 'u'): Extract<VersionState, { version: unknown }> {
  return { state: 'present', version: { identity, revision } };
}

/** A document that is in step in these versions. */
export function inStep(name: string, source: string, destination: string, path = `ns/${name}`): Outcome {
  return {
    name,
    keys: ['k'],
    state: 'Verified',
    source: { version: source, identity: 'u' },
    destination: { path, version: destination, identity: 'u' },
  };
}
