import { describe, expect, it } from 'vitest';
import { fakeTerminal, plain } from '#test/support/fake-terminal.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { aParsedMigration, aRow, aStoredMigration, ready } from '#test/support/migration-rows.ts';
import { cellsOf, headOf } from './columns.ts';
import { statusFlagsOf } from './flags.ts';
import { headerOf } from './header.ts';
import { exceptionsFirst, filtered, keyTable } from './key-table.ts';
import { LineLog } from './line-log.ts';
import { listedOf } from './listed.ts';

const NOW = new ManualClock().now();
const SUMMARY = {
  total: 5,
  pending: 0,
  copied: 0,
  verified: 3,
  removed: 0,
  conflict: 1,
  failed: 1,
  skipped: 0,
};
const STATUS = {
  observedGeneration: 1,
  conditions: [ready('False', 'PartiallyFailed', '3/5 keys verified; 1 failed, 1 in conflict.')],
  progress: '3/5',
  summary: SUMMARY,
  backends: { source: 'SecretBackend/kubernetes', destination: 'SecretBackend/bao' },
  startTime: '2025-12-31T23:50:00Z',
};
const ROWS = [
  aRow('db', 'user'),
  aRow('missing', '', { state: 'Failed', reason: 'SourceMissing' }),
  aRow('smtp', 'password', { state: 'Conflict', reason: 'DestinationDiffers' }),
  aRow('held', 'k', { reason: 'AwaitingSoak' }),
];

describe('the table of migrations', () => {
  const wide = { inAllNamespaces: true, isWide: true };

  it('has a cell for each column', () => {
    const { invocation } = fakeTerminal();
    const cells = cellsOf(listedOf(aStoredMigration({ status: STATUS })), wide, {
      nowMs: NOW,
      output: invocation.output,
      rateOf: () => 12,
    });
    expect(Object.fromEntries(headOf(wide).map((title, index) => [title, cells[index]]))).toEqual({
      NAMESPACE: 'shop',
      NAME: 'payments',
      READY: 'False',
      STATUS: 'PartiallyFailed',
      PROGRESS: '3/5',
      FAILED: '1',
      CONFLICTS: '1',
      AGE: '120m',
      SOURCE: 'SecretBackend/kubernetes',
      DESTINATION: 'SecretBackend/bao',
      RATE: '12/s',
      'LAST SYNC': '',
      MESSAGE: '3/5 keys verified; 1 failed, 1 in conflict.',
    });
  });

  it('shows what it can of an object of another version, and no control characters of it', () => {
    const { invocation } = fakeTerminal();
    const status = { conditions: [ready('False', 'Odd', 'a\u001B[2Jb\u202E')], progress: 7, summary: 'none' };
    const cells = cellsOf(listedOf(aStoredMigration({ spec: { mode: 'Thrice' }, status })), wide, {
      nowMs: NOW,
      output: invocation.output,
    });
    expect(cells.slice(0, 8)).toEqual(['shop', 'payments', 'False', 'Odd', '', '', '', '120m']);
    expect(cells.at(-1)).toBe(String.raw`ab\u{202e}`);
  });
});

describe('the header of a migration', () => {
  it('says what a person asks first, in plain lines in a pipe', () => {
    const { invocation } = fakeTerminal();
    const header = headerOf(aParsedMigration({ status: STATUS }), { nowMs: NOW, output: invocation.output });
    expect(header.split('\n')).toEqual([
      'Name:         payments',
      'Namespace:    shop',
      'Ready:        False (PartiallyFailed)',
      'Message:      3/5 keys verified; 1 failed, 1 in conflict.',
      'Source:       SecretBackend/kubernetes',
      'Destination:  SecretBackend/bao',
      'Mode:         Once',
      'Policies:     conflicts Fail, sources Keep',
      'Keys:         5 in all, 1 failed, 1 conflict, 3 verified',
      'Created:      120m ago (2025-12-31T22:00:00Z)',
      'Started:      10m ago (2025-12-31T23:50:00Z)',
      'Progress:     3/5 keys, 60%',
    ]);
  });

  it('has a bar with rate and time left on a terminal, and breaks a long message', () => {
    const { invocation } = fakeTerminal({ columns: 40 });
    const message = 'one two three four five six seven eight nine';
    const status = { ...STATUS, conditions: [ready('Unknown', 'Progressing', message)] };
    const header = headerOf(aParsedMigration({ status }), {
      nowMs: NOW,
      output: invocation.output,
      perSecond: 0.5,
    });
    expect(plain(header)).toContain(
      ['Message:      one two three four five', '              six seven eight nine'].join('\n'),
    );
    expect(plain(header)).toContain('██████████████████░░░░░░░░░░░░');
    expect(plain(header).replaceAll(/\s+/g, ' ')).toContain('3/5 keys, 60%, 0.5/s, about 4s left');
  });

  it('says that the operator has not looked at the spec yet', () => {
    const { invocation } = fakeTerminal();
    const older = { ...ready('True', 'Completed'), observedGeneration: 0 };
    const of = (status: object): string =>
      headerOf(aParsedMigration({ status }), { nowMs: NOW, output: invocation.output });
    expect(of({ conditions: [older] })).toContain(
      'True (Completed), of an earlier spec: the operator has not looked at the change yet',
    );
    expect(of({})).toContain('Unknown: the operator has not looked at it yet');
  });
});

describe('the table of keys', () => {
  it('has exceptions first, and a proven key whose source is held before the others', () => {
    const { invocation } = fakeTerminal();
    const table = keyTable(exceptionsFirst(ROWS), { nowMs: NOW, output: invocation.output });
    expect(table.split('\n')).toEqual([
      'NAME      KEY        STATE      REASON               DESTINATION    VERSION   AGE',
      'missing              Failed     SourceMissing        shop/missing   1         60m',
      'smtp      password   Conflict   DestinationDiffers   shop/smtp      1         60m',
      'held      k          Verified   AwaitingSoak         shop/held      1         60m',
      'db        user       Verified                        shop/db        1         60m',
    ]);
  });

  it('is colored on a terminal, but not with NO_COLOR, and escapes names', () => {
    const rows = [aRow('evil\u001B[2J\u009B', 'k\u202E')];
    const at = { nowMs: NOW, output: fakeTerminal({ columns: 80 }).invocation.output };
    expect(keyTable(rows, at)).toContain('\u001B[32mVerified\u001B[39m');
    const { output } = fakeTerminal({ columns: 80, env: { NO_COLOR: '1' } }).invocation;
    expect(keyTable(rows, { nowMs: NOW, output })).not.toContain('\u001B');
    expect(plain(keyTable(rows, at))).toContain(String.raw`evil\u{9b}`);
  });

  it('is filtered by state and by a text in name, key, reason or path', () => {
    const names = (filter: Parameters<typeof filtered>[1]) => filtered(ROWS, filter).map(({ name }) => name);
    expect(names({ states: new Set(['Failed', 'Conflict'] as const) })).toEqual(['missing', 'smtp']);
    expect(names({ text: 'DestinationDiffers'.toLowerCase() })).toEqual(['smtp']);
    expect(names({ text: 'db/us' })).toEqual(['db']);
    expect(names({ text: 'shop/h' })).toEqual(['held']);
  });
});

describe('the flags of status', () => {
  it('take states in any case, and name the nearest one', () => {
    expect(statusFlagsOf('m', { state: 'failed, CONFLICT' }).filter.states).toEqual(
      new Set(['Failed', 'Conflict']),
    );
    expect(() => statusFlagsOf('m', { state: 'Conflicts' })).toThrow(
      'Did you mean Conflict? A key is in one of:',
    );
  });

  it.each([
    ['m', { allNamespaces: true }, '-n <namespace> instead of -A'],
    ['m', { selector: 'a=b' }, 'do not go together'],
    [undefined, { state: 'Failed' }, 'name it'],
    [undefined, { all: true }, 'name it'],
    [undefined, { watch: true, output: 'json' }, 'leave out -o json'],
  ])('that do not go together are refused: %s %j', (name, options, text) => {
    expect(() => statusFlagsOf(name, options)).toThrow(text);
  });
});

describe('a watch in a pipe', () => {
  it('prints the head once, and a line only for another state', () => {
    const { invocation, out } = fakeTerminal();
    const log = new LineLog(invocation.output, ['NAME', 'STATUS', 'AGE']);
    log.line('a', ['payments', 'Progressing', '1s'], 'Progressing');
    log.line('a', ['payments', 'Progressing', '2s'], 'Progressing');
    log.line('a', ['payments', 'Completed', '3s'], 'Completed');
    expect(out()).toBe(
      [
        'NAME       STATUS              AGE',
        'payments   Progressing         1s',
        'payments   Completed           3s',
        '',
      ].join('\n'),
    );
  });

  it('says once that the connection is lost, and that it is there again', () => {
    const { err, invocation } = fakeTerminal();
    const log = new LineLog(invocation.output, []);
    log.trouble('Down.');
    log.trouble('Down.');
    log.trouble(undefined);
    log.trouble(undefined);
    expect(err()).toBe('The connection is lost; it is tried again. Down.\nConnected again.\n');
  });
});
