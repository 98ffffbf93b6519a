import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_NAMED, restartedFor } from './restarted-for.ts';

const changed = (entries: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(entries));

describe('the annotation names Secrets and revisions', () => {
  it('of Secrets that changed and are used, sorted', () => {
    expect(
      restartedFor(undefined, new Set(['db', 'api']), changed({ db: '7', api: '9', other: '1' })),
    ).toEqual({
      text: '{"api":"9","db":"7"}',
      names: ['api', 'db'],
    });
  });

  it('and keeps those that did not change, while the workload uses them', () => {
    const before = '{"db":"7","gone":"3","tls":"5"}';
    expect(restartedFor(before, new Set(['db', 'tls']), changed({ db: '8' }))).toEqual({
      text: '{"db":"8","tls":"5"}',
      names: ['db'],
    });
  });

  it('and is begun again if it is not ours', () => {
    for (const before of ['', 'now', '[]', '7', 'null', '{"db":7}', '{"db":{}}'])
      expect(restartedFor(before, new Set(['db']), changed({ db: '8' }))?.text).toBe('{"db":"8"}');
  });

  it('and cuts a revision of any length', () => {
    expect(restartedFor(undefined, new Set(['db']), changed({ db: '1'.repeat(9_999) }))?.text).toHaveLength(
      73,
    );
  });
});

describe('nothing restarts', () => {
  it('for a Secret that the workload does not use', () => {
    expect(restartedFor(undefined, new Set(['tls']), changed({ db: '7' }))).toBeUndefined();
  });

  it('for a revision that the annotation has', () => {
    expect(restartedFor('{"db":"7"}', new Set(['db']), changed({ db: '7' }))).toBeUndefined();
  });
});

const name = fc.stringMatching(/^[a-z0-9]{1,3}$/);
const revision = fc.nat({ max: 3 }).map(String);
const secrets = fc.dictionary(name, revision, { maxKeys: 2 * MAX_NAMED });

it('any changes restart once: again the same gives nothing, and a new revision always gives another text', () => {
  fc.assert(
    fc.property(secrets, secrets, (known, next) => {
      const used = new Set([...Object.keys(known), ...Object.keys(next)]);
      const before = JSON.stringify(known);
      const first = restartedFor(before, used, changed(next));
      const isNew = Object.entries(next).some(([each, value]) => known[each] !== value);
      expect(first !== undefined).toBe(isNew);
      if (first === undefined) return;
      expect(first.text).not.toBe(before);
      const named: Record<string, string> = JSON.parse(first.text);
      expect(Object.keys(named).length).toBeLessThanOrEqual(MAX_NAMED);
      expect([...first.names]).toEqual([...first.names].toSorted());
      if (first.names.length <= MAX_NAMED)
        expect(restartedFor(first.text, used, changed(next))).toBeUndefined();
    }),
  );
});
