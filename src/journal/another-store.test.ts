import { describe, expect, it } from 'vitest';
import { parseSecretMigration, type SecretMigrationStatus } from '#src/api/v1alpha1/secret-migration.ts';
import type { State } from '#src/core/outcome.ts';
import { toKubernetesTime } from '#src/schema/meta.ts';
import { aMigration } from '#test/builders/objects.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryReports } from '#test/support/memory-reports.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { MigrationJournal } from './journal.ts';

/*
 * A proof is about one store. When another one answers at the address of the destination, what earlier runs proved says
 * nothing about the copies there.
 */

const HOUR_MS = 3_600_000;

class Runs {
  readonly clock = new ManualClock();
  readonly reports = new MemoryReports();
  status: Partial<SecretMigrationStatus> = {};

  /** A run that begins, and makes its first status durable. Default: it does not look at the destination. */
  async open(destinationStore?: string, stores = true): Promise<MigrationJournal> {
    const parsed = parseSecretMigration({
      ...aMigration('m'),
      metadata: { name: 'm', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1 },
      status: this.status,
    });
    if (!parsed.ok) throw new Error(parsed.problems.join());
    const journal = await MigrationJournal.open({
      migration: parsed.value,
      reports: this.reports,
      clock: this.clock,
      logger: new RecordedLog(),
      acknowledgesLoss: false,
      rules: [],
      signal: new AbortController().signal,
      ...(destinationStore === undefined ? {} : { destinationStore }),
    });
    if (stores) await this.store(journal);
    return journal;
  }

  async store(journal: MigrationJournal): Promise<void> {
    await journal.storeReports();
    this.status = journal.table();
  }

  /** A whole run that ends with these documents. */
  async record(count: number, destinationStore: string, state: State = 'Verified'): Promise<void> {
    const journal = await this.open(destinationStore);
    for (let index = 0; index < count; index += 1)
      await journal.record({ name: `doc-${index}`, keys: ['k'], state });
    await this.store(journal);
    this.clock.jump(HOUR_MS);
  }
}

async function sinceAfter(runs: Runs, store?: string): Promise<readonly string[]> {
  const { prior } = await runs.open(store);
  return [...new Set([...prior.values()].map(({ since }) => toKubernetesTime(since)))];
}

describe.each([
  ['in the status', 3],
  ['in reports', 600],
])('the time of proven rows %s', (_where, count) => {
  it('starts again in another store, and stays from then on', async () => {
    const runs = new Runs();
    await runs.record(count, 'openbao one');
    const now = toKubernetesTime(runs.clock.now());
    expect(await sinceAfter(runs, 'openbao two')).toEqual([now]);
    runs.clock.jump(HOUR_MS);
    expect(await sinceAfter(runs, 'openbao two')).toEqual([now]);
  });

  it('stays in the same store, and in a reconcile that does not look at it; nothing is written', async () => {
    const runs = new Runs();
    const before = toKubernetesTime(runs.clock.now());
    await runs.record(count, 'openbao one');
    const written = [...runs.reports.writes];
    expect(await sinceAfter(runs)).toEqual([before]);
    expect(await sinceAfter(runs, 'openbao one')).toEqual([before]);
    expect(runs.reports.writes).toEqual(written);
    expect(runs.status.destinationStore).toBe('openbao one');
  });
});

it('the time in reports starts again when the run was killed before its status named the other store', async () => {
  const runs = new Runs();
  await runs.record(600, 'openbao one');
  const { status } = runs;
  const journal = await runs.open('openbao two', false);
  // A status may be written before the reports: it must not name a store that no durable proof is about.
  expect(journal.table().destinationStore).toBe('openbao one');
  await runs.store(journal);
  runs.status = status;
  runs.clock.jump(HOUR_MS);
  expect(await sinceAfter(runs, 'openbao two')).toEqual([toKubernetesTime(runs.clock.now())]);
});

it('the time of a removed row stays in another store: its backup lives on from its removal', async () => {
  const runs = new Runs();
  const before = toKubernetesTime(runs.clock.now());
  await runs.record(1, 'openbao one', 'Removed');
  expect(await sinceAfter(runs, 'openbao two')).toEqual([before]);
});
