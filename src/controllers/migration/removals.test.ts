import { describe, expect, it } from 'vitest';
import type { EventRecord } from '#src/ports.ts';
import { RecordedLog } from '#test/support/recorded.ts';
import { HalfRemoved, removalsIn, tellDeleted, tellRemoved } from './removals.ts';

const metadata = { namespace: 'ns', name: 'm', uid: 'u' };

function aReport() {
  const recorded: EventRecord[] = [];
  const logger = new RecordedLog();
  return { recorded, logger, events: { record: (event: EventRecord) => void recorded.push(event) } };
}

describe('a migration that is deleted while it removes sources', () => {
  it('leaves an event about it and a log line, both with what is removed and what is left', () => {
    const report = aReport();
    tellDeleted(metadata, { removed: 3, left: 2 }, report);
    expect(report.logger.lines).toMatchObject([{ level: 'warn', fields: { removed: 3, left: 2 } }]);
    expect(report.recorded).toMatchObject([
      {
        regarding: { kind: 'SecretMigration', ...metadata },
        type: 'Warning',
        reason: 'DeletedWhileRemoving',
        note: expect.stringContaining('removed 3, left 2.'),
      },
    ]);
  });

  it('is told also when it is deleted between two runs, and once', () => {
    const migrations = new HalfRemoved();
    const report = aReport();
    migrations.note(metadata, { removed: 3, left: 2 });
    migrations.tellIfGone('ns/other', undefined, report);
    migrations.tellIfGone('ns/m', 'u', report);
    expect(report.recorded).toEqual([]);
    migrations.tellIfGone('ns/m', undefined, report);
    migrations.tellIfGone('ns/m', undefined, report);
    expect(report.recorded.map(({ note }) => note.slice(0, 80))).toEqual([
      'The migration was deleted while it removed sources: removed 3, left 2. The value',
    ]);
  });

  it('is told when another one has its name already', () => {
    const migrations = new HalfRemoved();
    const report = aReport();
    migrations.note(metadata, { removed: 1, left: 1 });
    migrations.tellIfGone('ns/m', 'of the new one', report);
    expect(report.recorded).toMatchObject([{ regarding: { uid: 'u' } }]);
  });

  it.each([
    ['nothing', { removed: 0, left: 5 }],
    ['everything', { removed: 5, left: 0 }],
  ])('is not told when it had removed %s', (_what, removals) => {
    const migrations = new HalfRemoved();
    const report = aReport();
    migrations.note(metadata, { removed: 1, left: 4 });
    migrations.note(metadata, removals);
    migrations.tellIfGone('ns/m', undefined, report);
    expect(report.recorded).toEqual([]);
  });
});

describe('the removals of one run', () => {
  it('are one event with their number', () => {
    const report = aReport();
    tellRemoved(metadata, 7, report);
    expect(report.recorded).toMatchObject([{ type: 'Normal', note: 'This run removed 7 sources.' }]);
  });

  it('are no event if there are none', () => {
    const report = aReport();
    tellRemoved(metadata, 0, report);
    expect([report.recorded, report.logger.lines]).toEqual([[], []]);
  });

  it('are counted in documents', () => {
    const rows = [
      { name: 'a', keys: ['x', 'y'], state: 'Removed' as const },
      { name: 'b', keys: ['x', 'y'], state: 'Verified' as const },
    ];
    expect(removalsIn(rows)).toEqual({ removed: 1, left: 1 });
  });
});
