import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aRow, evidenceWith, MAKING } from '#test/support/evidence-samples.ts';
import { canonicalJson } from './canonical-json.ts';
import { breakOf, linked } from './chain.ts';
import { pageOf } from './html.ts';
import { textOf } from './text.ts';
import { verifyText } from './verify.ts';

const ours = { version: MAKING.version };
const text = fc.string({ unit: 'binary', maxLength: 12 });
const row = fc.record({ name: text, key: text, reason: fc.option(text, { nil: undefined }) });
const rows = fc.array(row, { minLength: 1, maxLength: 8 });
const header = fc.record({ madeAt: text, totals: fc.record({ migrated: fc.nat() }) });

describe('the chain of rows', () => {
  const places = fc.tuple(header, rows, fc.nat()).map(([head, made, pick]) => {
    const { rows: links, chain } = linked(head, made);
    return { head, links, chain, at: pick % links.length };
  });

  it('finds a row that was edited, and names it', () => {
    fc.assert(
      fc.property(places, row, ({ head, links, chain, at }, other) => {
        const edited = links.with(at, { ...other, hash: links[at]?.hash ?? '' });
        fc.pre(canonicalJson(edited) !== canonicalJson(links));
        expect(breakOf(head, edited, chain)).toEqual({ at: 'row', index: at });
      }),
    );
  });

  it('finds a hash that was edited, a row that was removed, and one that was added', () => {
    fc.assert(
      fc.property(places, row, ({ head, links, chain, at }, other) => {
        const here = { at: 'row', index: at };
        const [link] = links.slice(at, at + 1).map(({ hash, ...rest }) => ({ ...rest, hash: `${hash}0` }));
        if (link !== undefined) expect(breakOf(head, links.with(at, link), chain)).toEqual(here);
        const isLast = at === links.length - 1;
        expect(breakOf(head, links.toSpliced(at, 1), chain)).toEqual(isLast ? { at: 'end' } : here);
        const added = links.toSpliced(at, 0, { ...other, hash: chain.head });
        expect(breakOf(head, added, chain)?.at).toBe('row');
      }),
    );
  });

  it('finds rows that changed places', () => {
    fc.assert(
      fc.property(places, fc.nat(), ({ head, links, chain, at }, pick) => {
        const to = pick % links.length;
        const [one, other] = [links[at], links[to]];
        fc.pre(one !== undefined && other !== undefined && at !== to);
        const swapped = links.with(at, other ?? one).with(to, one);
        expect(breakOf(head, swapped, chain)).toEqual({ at: 'row', index: Math.min(at, to) });
      }),
    );
  });

  it('covers everything that is not a row', () => {
    fc.assert(
      fc.property(header, header, rows, (head, other, made) => {
        const { rows: links, chain } = linked(head, made);
        fc.pre(JSON.stringify(head) !== JSON.stringify(other));
        expect(breakOf(other, links, chain)).toEqual({ at: 'start' });
      }),
    );
  });

  it('does not depend on the order of members', () => {
    const { rows: links, chain } = linked({ a: 1, b: 2 }, [{ name: 'x', key: 'y' }]);
    const turned = links.map(({ hash, name, key }) => ({ hash, key, name }));
    expect(breakOf({ b: 2, a: 1 }, turned, chain)).toBeUndefined();
  });
});

describe('report verify', () => {
  const evidence = evidenceWith({ rows: [aRow('db'), aRow('smtp'), aRow('webhook')] });
  const page = pageOf(evidence);
  const json = textOf(evidence);

  it('accepts a report as it was made, as HTML and as JSON', () => {
    expect(verifyText(page, ours).problems).toEqual([]);
    expect(verifyText(json, ours).problems).toEqual([]);
    expect(verifyText(JSON.stringify(JSON.parse(json), undefined, 2), ours).problems).toEqual([]);
    expect(verifyText(json, { ...ours, head: evidence.chain.head }).problems).toEqual([]);
  });

  it('names the row that breaks the chain', () => {
    const edited = json.replace('"name":"smtp"', '"name":"smtp2"');
    expect(verifyText(edited, ours).problems).toEqual([
      'Row 2 (smtp2 password) breaks the chain: it was changed, or rows before it were removed, added or moved.',
    ]);
  });

  it('finds an edit of the totals, and a report whose hashes were computed again', () => {
    expect(verifyText(json.replace('"migrated":3', '"migrated":4'), ours).problems).toEqual([
      expect.stringContaining('The part before the rows was changed'),
    ]);
    const forged = textOf(evidenceWith({ rows: [aRow('db'), aRow('smtp')] }));
    expect(verifyText(forged, ours).problems).toEqual([]);
    expect(verifyText(forged, { ...ours, head: evidence.chain.head }).problems).toEqual([
      expect.stringContaining('not the one that was kept'),
    ]);
  });

  it('finds a page that shows something else than its data', () => {
    const edited = page.replace('<dd>3</dd>', '<dd>5</dd>');
    expect(edited).not.toBe(page);
    expect(verifyText(edited, ours).problems).toEqual([expect.stringContaining('visible part was changed')]);
    expect(verifyText(edited, { version: '9.9.9' }).notes).toEqual([
      expect.stringContaining('made by keyferry 1.2.3'),
    ]);
  });

  it('refuses what is not a report in one sentence', () => {
    const nested = `{"format":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    for (const other of ['', '{}', 'null', page.slice(0, page.indexOf('"format"')), page + page, nested])
      expect(() => verifyText(other, ours), other.slice(0, 40)).toThrow('not an evidence report');
  });
});
