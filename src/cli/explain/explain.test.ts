import { describe, expect, it } from 'vitest';
import { ROW_REASONS, ROW_STATES } from '#src/api/v1alpha1/conditions.ts';
import type { KeyRow } from '#src/api/v1alpha1/key-rows.ts';
import { fakeTerminal } from '#test/support/fake-terminal.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { aParsedMigration, aRow, ready } from '#test/support/migration-rows.ts';
import { explanationOf } from './explain.ts';
import { ledBy } from './led.ts';
import { matchesOf } from './match.ts';
import { nextOf } from './next.ts';
import { commandsFor, plainSteps } from './steps.ts';

const NOW = new ManualClock().now();
const BACKENDS = { source: 'SecretBackend/kubernetes', destination: 'SecretBackend/bao' };
const FAILED = { conditions: [ready('False', 'PartiallyFailed')], backends: BACKENDS };

function once(spec: object = {}) {
  return aParsedMigration({ spec, status: FAILED });
}

function inStep(spec: object = {}) {
  return aParsedMigration({ spec: { mode: 'Sync', ...spec }, status: FAILED });
}

function conflict(more: Partial<KeyRow> = {}): KeyRow {
  return aRow('smtp', 'password', { state: 'Conflict', reason: 'DestinationDiffers', ...more });
}

describe('which rows a word names', () => {
  const rows = [
    aRow('db', 'user'),
    aRow('db', 'password'),
    aRow('smtp', 'password'),
    aRow('a/b', 'c'),
    aRow('a', 'b/c'),
    aRow('empty', ''),
  ];
  const named = (word: string) =>
    matchesOf(rows, word).found.map((match) => match.rows.map(({ name, key }) => `${name} ${key}`));

  it('is a document with all keys, or one key of it', () => {
    expect(named('db')).toEqual([['db user', 'db password']]);
    expect(named('db/user')).toEqual([['db user']]);
    expect(named('empty')).toEqual([['empty ']]);
  });

  it('is each of several that match: names have slashes, and keys repeat', () => {
    expect(named('a/b/c')).toEqual([['a/b c'], ['a b/c']]);
    expect(named('password')).toEqual([['db password'], ['smtp password']]);
    expect(named('user')).toEqual([['db user']]);
  });

  it('is nothing else, but similar names are told', () => {
    expect(matchesOf(rows, 'smtp2')).toEqual({ found: [], similar: ['smtp'] });
    expect(matchesOf(rows, 'pass').similar).toEqual(['db/password', 'smtp/password']);
  });
});

describe('an explanation', () => {
  it('has everything of a row, what it means, what follows and what to do', () => {
    const { invocation } = fakeTerminal();
    const destination = { path: 'shop/smtp', version: '4', priorVersion: '3' };
    const row = conflict({ message: 'It differs.', source: { version: '99' }, destination });
    const migration = once();
    const text = explanationOf(migration, { rows: [row] }, { ...invocation, flags: { namespace: 'shop' } });
    expect(text.split('\n')).toEqual([
      'Document:        smtp',
      'Key:             password',
      'Migration:       payments (namespace shop, Once)',
      'State:           Conflict, for 60m (since 2025-12-31T23:00:00Z)',
      'Reason:          DestinationDiffers',
      'Message:         It differs.',
      'Source:          SecretBackend/kubernetes, smtp, version 99',
      'Destination:     SecretBackend/bao, shop/smtp, version 4',
      'Version before:  3',
      'Meaning:         The destination differs; nothing was overwritten. The destination has other bytes, other keys or other attributes.',
      'Next:            The operator looks at both sides again every 30 seconds, unless its flag --waiting-retry-seconds says otherwise, and when the spec changes.',
      'What to do:      Make source and destination equal, or set spec.conflictPolicy: conflicts (https://keyferry.io/docs/conflicts).',
      'Commands:        kubectl keyferry retry payments -n shop',
    ]);
  });

  it('lists the keys of a document, and prints no control character of an object', () => {
    const { invocation } = fakeTerminal();
    const rows = [aRow('d\u001B[2J\u202E', 'a'), aRow('d', 'b\u009B')] as const;
    const text = explanationOf(once(), { rows }, invocation);
    expect(text).toContain(String.raw`Keys:         a, b\u{9b}`);
    expect(text).toMatch(/^[\p{L}\p{M}\p{N}\p{P}\p{S} \n]*$/u);
  });

  it.each(Object.keys(ROW_REASONS))('says what to do about %s, as plain text', (reason) => {
    const steps = plainSteps(reason);
    expect(steps.length).toBeGreaterThan(0);
    for (const step of steps) expect(step).not.toMatch(/`|\]\(|\.md\b|\\/);
  });
});

describe('what happens next', () => {
  it.each(ROW_STATES.flatMap((state) => [once(), inStep()].map((migration) => [state, migration] as const)))(
    'is said of each state: %s',
    (state, migration) => {
      expect(nextOf(migration, aRow('db', 'k', { state }), NOW)).toMatch(/^[A-Z].*\.$/);
    },
  );

  it.each([
    [{ suspend: true }, 'Nothing while spec.suspend is true.'],
    [{ dryRun: true }, 'Nothing: a dry run only reads. Each run decides again.'],
  ])('is nothing while the migration is held: %j', (spec, text) => {
    expect(nextOf(once(spec), conflict(), NOW)).toBe(text);
  });

  it('is another decision after a change of the spec', () => {
    const older = { ...ready('True', 'Completed'), observedGeneration: 0 };
    const migration = aParsedMigration({ status: { conditions: [older] } });
    expect(nextOf(migration, conflict(), NOW)).toContain('has not looked at the current spec yet');
  });

  it('is the removal of the source at the end of its soak', () => {
    const migration = once({ sourcePolicy: 'Delete', soakSeconds: 3 * 3600 });
    const row = aRow('db', 'k', { reason: 'AwaitingSoak' });
    expect(nextOf(migration, row, NOW)).toBe(
      'The source is removed in 120m (2026-01-01T02:00:00Z), if the copy is still proven then.',
    );
    expect(nextOf(migration, row, NOW + 86_400_000)).toContain('The source is removed in the next run');
  });

  it('names the gate that holds a removal', () => {
    const migration = once({ sourcePolicy: 'Delete' });
    const held = nextOf(migration, aRow('db', 'k', { reason: 'CrossingMigrations' }), NOW);
    expect(held).toMatch(/^A gate holds the removal of the source: CrossingMigrations\./);
    expect(nextOf(migration, aRow('db', 'k', { reason: 'MetadataLost' }), NOW)).toContain(
      'then the source is removed as sourcePolicy Delete says',
    );
  });

  it('is soon for what passes by itself, and later for what needs a person', () => {
    const failed = (reason: string) => nextOf(once(), aRow('db', 'k', { state: 'Failed', reason }), NOW);
    expect(failed('BackendSealed')).toBe('The operator tries it again within seconds.');
    expect(failed('PermissionDenied')).toContain('every 30 seconds');
    expect(failed('UnknownState')).toBe('This version of the operator does nothing with it.');
  });
});

describe('the names that keys get at the destination', () => {
  const text = (rows: readonly [KeyRow, ...KeyRow[]]) =>
    explanationOf(once(), { rows }, fakeTerminal({ columns: 80, rows: 40 }).invocation);
  const renamed = aRow('db', 'user', { destination: { path: 'shop/db', key: 'DB_USER' } });

  it('are told in the order of the keys, if one differs', () => {
    expect(text([renamed])).toMatch(/^New key: +DB_USER$/m);
    expect(text([renamed, aRow('db', 'password')])).toMatch(/^New keys: +DB_USER, password$/m);
    expect(text([aRow('db', 'password')])).not.toContain('New key');
  });
});

describe('which side led the last change', () => {
  it('is told by the reason', () => {
    expect(ledBy(inStep(), aRow('db', 'k', { reason: 'FollowedSource' }))).toBe(
      'The destination took a changed value of the source.',
    );
    expect(ledBy(once(), conflict())).toBeUndefined();
  });

  it.each([
    ['1', '1', 'Neither side has another version than when both were last equal.'],
    ['1', '2', 'Only the destination changed since both were last equal.'],
    ['2', '1', 'Only the source changed since both were last equal.'],
    ['2', '2', 'Both sides changed since they were last equal.'],
  ])('is found from the versions when both were equal: %s, %s', (source, destination, text) => {
    const row = conflict({
      base: { source: { version: '1' }, destination: { version: '1' } },
      source: { version: source },
      destination: { path: 'shop/smtp', version: destination },
    });
    expect(ledBy(inStep(), row)).toBe(text);
  });
});

describe('the command that mends it', () => {
  it('chooses the winner of a conflict that is kept in step', () => {
    expect(commandsFor(inStep(), conflict({ reason: 'BothChanged' }), {})).toEqual([
      'kubectl keyferry resolve payments smtp --keep source',
      'kubectl keyferry resolve payments smtp --keep destination',
    ]);
    expect(commandsFor(inStep(), conflict({ reason: 'DestinationLeaving' }), {})).toEqual([
      'kubectl keyferry retry payments',
    ]);
  });

  it('looks at the backends where they are the cause', () => {
    const row = aRow('db', 'k', { state: 'Failed', reason: 'PermissionDenied' });
    expect(commandsFor(once(), row, { namespace: 'shop' })).toEqual([
      'kubectl describe secretbackend kubernetes -n shop',
      'kubectl describe secretbackend bao -n shop',
      'kubectl keyferry retry payments -n shop',
    ]);
  });

  it('releases what is held', () => {
    const row = aRow('db', 'k', { state: 'Pending', reason: 'WouldCreate' });
    expect(commandsFor(once({ suspend: true }), row, {})).toEqual(['kubectl keyferry resume payments']);
    expect(commandsFor(once({ dryRun: true }), row, {})).toEqual([
      'kubectl keyferry plan payments',
      `kubectl patch secretmigration payments --type=merge -p '{"spec":{"dryRun":false}}'`,
    ]);
    const awaits = aParsedMigration({ status: { conditions: [ready('False', 'AwaitingApproval')] } });
    expect(commandsFor(awaits, row, {})).toContain('kubectl keyferry approve payments');
    expect(commandsFor(once(), aRow('db', 'k'), {})).toEqual([]);
  });
});
