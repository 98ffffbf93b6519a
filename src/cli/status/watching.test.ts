import { describe, expect, it } from 'vitest';
import { fakeTerminal, plain } from '#test/support/fake-terminal.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { aParsedMigration, aRow, ready } from '#test/support/migration-rows.ts';
import { Changes } from './changes.ts';
import { frameOf, type Seen } from './frame.ts';
import { barOf, Pace, paceOfRows, progressText, rateText } from './pace.ts';

const NOW = new ManualClock().now();

describe('the pace of a run', () => {
  it('is that of successive looks, and of the last half minute', () => {
    const pace = new Pace();
    pace.note(0, 0);
    expect(pace.perSecond).toBeUndefined();
    pace.note(100, 10_000);
    expect(pace.perSecond).toBe(10);
    for (let second = 11; second <= 80; second += 1) pace.note(100 + (second - 10) * 2, second * 1000);
    expect(pace.perSecond).toBe(2);
  });

  it('begins again with another run', () => {
    const pace = new Pace();
    pace.note(100, 0);
    pace.note(0, 5_000);
    expect(pace.perSecond).toBeUndefined();
    pace.note(5, 10_000);
    expect(pace.perSecond).toBe(1);
  });

  it('is told by the rows of one look', () => {
    const at = (second: number) => new Date(NOW - second * 1000).toISOString();
    const rows = [
      aRow('old', 'k', { lastTransitionTime: at(600) }),
      aRow('a', 'k', { lastTransitionTime: at(10) }),
      aRow('b', 'k', { lastTransitionTime: at(5) }),
      aRow('c', 'k', { lastTransitionTime: at(5), state: 'Failed' }),
    ];
    expect(paceOfRows(rows, NOW)).toBe(0.2);
    expect(paceOfRows(rows.slice(0, 1), NOW)).toBeUndefined();
  });

  it('is printed with the time that is left', () => {
    expect(progressText({ done: 600, total: 1000, perSecond: 50 })).toBe(
      '600/1000 keys, 60%, 50/s, about 8s left',
    );
    expect(progressText({ done: 1000, total: 1000, perSecond: 50 })).toBe('1000/1000 keys, 100%');
    expect(progressText({ done: 0, total: 0 })).toBe('0/0 keys, 0%');
    expect(progressText({ done: 1, total: 2, perSecond: 0 })).toBe('1/2 keys, 50%, 0/s');
    expect([rateText(undefined), rateText(0.44), rateText(1234.5)]).toEqual(['', '0.4/s', '1235/s']);
  });

  it('has a bar that is full only at the end', () => {
    expect(barOf({ done: 999, total: 1000 }, 10)).toBe('█████████░');
    expect(barOf({ done: 1000, total: 1000 }, 4)).toBe('████');
    expect(barOf({ done: 0, total: 0 }, 4)).toBe('░░░░');
  });
});

describe('what changed between two looks', () => {
  it('is what has another state, reason or version; the first look tells nothing', () => {
    const changes = new Changes();
    changes.see([aRow('a', 'k', { state: 'Pending' }), aRow('b', 'k'), aRow('c', 'k')]);
    expect(changes.last).toEqual([]);
    const newer = { lastTransitionTime: '2025-12-31T23:59:50Z' };
    changes.see([
      aRow('a', 'k', newer),
      aRow('b', 'k', { destination: { path: 'shop/b', version: '2' } }),
      aRow('c', 'k', { message: 'another text' }),
    ]);
    expect(changes.last.map(({ before, row }) => [row.name, before, row.state])).toEqual([
      ['a', 'Pending', 'Verified'],
      ['b', 'Verified', 'Verified'],
    ]);
  });
});

describe('the picture of a migration that is watched', () => {
  const rows = Array.from({ length: 100 }, (_, index) => aRow(`doc-${index}`, 'k', { state: 'Pending' }));
  const summary = {
    total: 100,
    pending: 98,
    copied: 0,
    verified: 0,
    removed: 0,
    conflict: 1,
    failed: 1,
    skipped: 0,
  };
  const status = {
    conditions: [ready('Unknown', 'Progressing', 'word '.repeat(200).trim())],
    progress: '0/100',
    summary,
    backends: { source: 'SecretBackend/kubernetes', destination: 'SecretBackend/bao' },
  };
  const seen: Seen = {
    migration: aParsedMigration({ status }),
    table: {
      rows: [...rows, aRow('bad', 'k', { state: 'Failed', reason: 'TooLarge' })],
      stored: [],
      isComplete: true,
    },
    changes: [{ row: aRow('doc-1', 'k'), before: 'Pending' }],
    perSecond: 10,
    trouble: undefined,
  };
  const draw = (height: number, more: Partial<Seen> = {}): readonly string[] => {
    const { output } = fakeTerminal({ columns: 80, rows: height }).invocation;
    const framing = { nowMs: NOW, output, filter: {}, hint: 'kubectl keyferry explain payments <key>' };
    return plain(frameOf({ ...seen, ...more }, framing)).split('\n');
  };

  it('shows how far it is, what is not done, and the last changes', () => {
    const lines = draw(30);
    expect(lines[0]).toBe('payments   Progressing   SecretBackend/kubernetes → SecretBackend/bao');
    expect(lines.join('\n')).toContain('0/100 keys, 0%, 10/s, about 10s left');
    expect(lines).toContain('100 in all, 1 failed, 1 conflict, 98 pending');
    expect(lines.find((line) => line.startsWith('bad'))).toMatch(/Failed +TooLarge/);
    expect(lines.slice(-2)).toEqual(['Last changes', '  60m ago   doc-1/k   Pending → Verified']);
  });

  it.each([12, 24, 60])('fits into a terminal of %d lines', (height) => {
    expect(draw(height).length).toBeLessThan(height);
  });

  it('says that it does not see the cluster', () => {
    expect(draw(24, { trouble: 'The server cannot be reached.' }).at(-1)).toBe(
      'The connection is lost; it is tried again. The server cannot be reached.',
    );
  });
});
