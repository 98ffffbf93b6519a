import { describe, expect, it } from 'vitest';
import { scriptedSession, type Script } from '#test/support/scripted-session.ts';
import { ready, row, shownMigration } from '#test/support/shown-migrations.ts';
import { resolveIn, type Choice } from './carry-out.ts';

const ANNOTATION = 'keyferry.io/resolve';

function conflict(name: string, key: string, source?: string, reason = 'DestinationEdited'): object {
  return row(name, key, {
    state: 'Conflict',
    reason,
    message: 'Both differ.',
    ...(source === undefined ? {} : { source: { version: source } }),
    destination: { path: `shop/${name}`, version: '7' },
  });
}

const KEYS = [
  conflict('api-key', 'key', '41327'),
  conflict('api-key', 'url', '41327'),
  conflict('gone', '', undefined, 'SourceDeleted'),
  conflict('owned', 'key', '3', 'DestinationOwned'),
  row('smtp', 'password', { state: 'Verified' }),
];

function inConflict({ annotation, spec, ...script }: Script & { annotation?: string; spec?: object } = {}) {
  const metadata = annotation === undefined ? {} : { annotations: { [ANNOTATION]: annotation } };
  const status = { conditions: [ready('False', 'ConflictsFound')], keys: KEYS };
  const migration = shownMigration('payments', { metadata, spec: { mode: 'Sync', ...spec }, status });
  const scripted = scriptedSession({ objects: [migration], ...script });
  const written = (): unknown => {
    const annotations = scripted.server.get('SecretMigration', 'payments')?.metadata['annotations'];
    const text: unknown = Object(annotations)[ANNOTATION];
    return typeof text === 'string' ? JSON.parse(text) : undefined;
  };
  return { ...scripted, written };
}

const CHOICE: Choice = { winner: 'source', named: ['api-key'], isConfirmed: true };

describe('resolve', () => {
  it('names the versions that the row shows, and shows which is replaced', async () => {
    const { err, out, session, written } = inConflict();
    expect(await resolveIn(session, 'payments', CHOICE)).toBe(0);
    expect(written()).toEqual([{ name: 'api-key', winner: 'source', source: '41327', destination: '7' }]);
    expect(err()).toMatch(/KEPT \(SOURCE\) +REPLACED \(DESTINATION\)/);
    expect(err()).toMatch(/api-key +shop\/api-key +DestinationEdited +version 41327 +version 7/);
    expect(out()).toBe('secretmigration.keyferry.io/payments resolved (1 document, the source wins)\n');
  });

  it('takes a document by one of its keys', async () => {
    const { session, written } = inConflict();
    await resolveIn(session, 'payments', { ...CHOICE, named: ['api-key/url'] });
    expect(written()).toMatchObject([{ name: 'api-key' }]);
  });

  it('resolves all conflicts that bytes can decide, and a side without a document has no version', async () => {
    const { session, written } = inConflict();
    await resolveIn(session, 'payments', { ...CHOICE, named: 'all', winner: 'destination' });
    expect(written()).toEqual([
      { name: 'api-key', winner: 'destination', source: '41327', destination: '7' },
      { name: 'gone', winner: 'destination', source: '', destination: '7' },
    ]);
  });

  it('keeps the entries of other documents, except of those that are in step', async () => {
    const other = { name: 'other', winner: 'source', source: '1', destination: '2' };
    const inStep = { ...other, name: 'smtp' };
    const { session, written } = inConflict({ annotation: JSON.stringify([other, inStep]) });
    await resolveIn(session, 'payments', CHOICE);
    expect(written()).toMatchObject([{ name: 'other' }, { name: 'api-key' }]);
  });

  it('says that nothing is written where a source that leads is only read', async () => {
    const { err, session } = inConflict();
    await resolveIn(session, 'payments', { ...CHOICE, winner: 'destination' });
    expect(err()).toContain('STAYS (SOURCE)');
    const either = inConflict({ spec: { sync: { authority: 'Either' } } });
    await resolveIn(either.session, 'payments', { ...CHOICE, winner: 'destination' });
    expect(either.err()).toContain('REPLACED (SOURCE)');
  });

  it.each([
    ['a row that is in step', ['smtp'], 'smtp is not in conflict: it is Verified'],
    [
      'a conflict that bytes do not decide',
      ['owned'],
      'does not end the conflict of owned: DestinationOwned',
    ],
    ['an unknown name', ['api_key'], 'There is no row of api_key'],
  ])('refuses %s', async (_what, named, words) => {
    const { server, session } = inConflict();
    await expect(resolveIn(session, 'payments', { ...CHOICE, named })).rejects.toThrow(words);
    expect(server.sent('PATCH')).toEqual([]);
  });

  it('refuses a migration in mode Once, and an annotation that it would destroy', async () => {
    const once = inConflict({ spec: { mode: 'Once' } });
    await expect(resolveIn(once.session, 'payments', CHOICE)).rejects.toThrow('spec.conflictPolicy');
    const torn = inConflict({ annotation: '[{"name":' });
    await expect(resolveIn(torn.session, 'payments', CHOICE)).rejects.toThrow('it is not JSON');
    expect(torn.server.sent('PATCH')).toEqual([]);
  });

  it('asks on a terminal', async () => {
    const { server, session } = inConflict({ answer: 'no\n' });
    expect(await resolveIn(session, 'payments', { ...CHOICE, isConfirmed: false })).toBe(1);
    expect(server.sent('PATCH')).toEqual([]);
  });
});
