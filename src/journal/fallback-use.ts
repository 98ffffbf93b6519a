import { MAX_COUNT, toKubernetesTime } from '#src/schema/meta.ts';
import type { SecretMigration, SecretMigrationStatus } from '#src/api/v1alpha1/secret-migration.ts';
import type { Clock } from '#src/ports.ts';

/** Counts the reads at old addresses, added to the counts of earlier runs. */
export class FallbackUse {
  readonly #migration: SecretMigration;
  readonly #clock: Clock;
  #hits = 0;
  #lastHitAt: number | undefined;

  constructor(migration: SecretMigration, clock: Clock) {
    this.#migration = migration;
    this.#clock = clock;
  }

  /** Counts one document that was read at its old address. */
  count(): void {
    this.#hits += 1;
    this.#lastHitAt = this.#clock.now();
  }

  /** Undefined for a migration without spec.source.fallback. */
  status(): SecretMigrationStatus['fallback'] {
    const { spec, status } = this.#migration;
    if (spec.source.fallback === undefined) return undefined;
    const before = status.fallback;
    const lastHitTime =
      this.#lastHitAt === undefined ? before?.lastHitTime : toKubernetesTime(this.#lastHitAt);
    const isActive = this.#clock.now() < Date.parse(spec.source.fallback.untilTime);
    return {
      state: isActive ? 'Active' : 'Ended',
      hits: Math.min((before?.hits ?? 0) + this.#hits, MAX_COUNT),
      ...(lastHitTime === undefined ? {} : { lastHitTime }),
    };
  }
}
