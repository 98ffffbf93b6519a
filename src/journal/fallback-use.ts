import { MAX_COUNT, toKubernetesTime } from '#src/schema/meta.ts';
import type { SecretMigration, SecretMigrationStatus } from '#src/api/v1alpha1/secret-migration.ts';
import type { Clock } from '#src/ports.ts';

/** Counts the values that were taken from old names, added to the counts of earlier runs. */
export class FallbackUse {
  readonly #migration: SecretMigration;
  readonly #clock: Clock;
  #hits = 0;
  #lastHitAt: number | undefined;

  constructor(migration: SecretMigration, clock: Clock) {
    this.#migration = migration;
    this.#clock = clock;
  }

  /** Counts one document whose value was taken from its old name. */
  count(): void {
    this.#hits += 1;
    this.#lastHitAt = this.#clock.now();
  }

  /** Undefined for a migration that takes nothing from old names. */
  status(): SecretMigrationStatus['fallback'] {
    const { spec, status } = this.#migration;
    const before = status.fallback;
    const window = windowOf(spec, this.#hits > 0 || before !== undefined);
    if (window === undefined) return undefined;
    const lastHitTime =
      this.#lastHitAt === undefined ? before?.lastHitTime : toKubernetesTime(this.#lastHitAt);
    const isActive = window.untilTime === undefined || this.#clock.now() < Date.parse(window.untilTime);
    return {
      state: isActive ? 'Active' : 'Ended',
      hits: Math.min((before?.hits ?? 0) + this.#hits, MAX_COUNT),
      ...(lastHitTime === undefined ? {} : { lastHitTime }),
    };
  }
}

/** When the status of an active use must say that it ended, milliseconds since the epoch; undefined: never. */
export function endOfUse({ spec, status: { fallback } }: SecretMigration): number | undefined {
  const untilTime = fallback?.state === 'Active' ? windowOf(spec, true)?.untilTime : undefined;
  return untilTime === undefined ? undefined : Date.parse(untilTime);
}

/**
 * How long values are taken from old names: those of the fallback, or one of the two names that Sync keeps in one backend.
 * Two backends can lead to one folder, which only a use shows.
 */
function windowOf(
  spec: SecretMigration['spec'],
  wasUsed: boolean,
): { readonly untilTime: string | undefined } | undefined {
  const { mode, source, sync } = spec;
  if (source.fallback !== undefined) return source.fallback;
  if (mode !== 'Sync') return undefined;
  return wasUsed || isInOneBackend(spec) ? { untilTime: sync?.untilTime } : undefined;
}

function isInOneBackend({ destination, source }: SecretMigration['spec']): boolean {
  const [from, to] = [source.backendRef, destination.backendRef];
  return from?.name === to?.name && from?.kind === to?.kind;
}
