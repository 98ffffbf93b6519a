import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aLargeReport, aRow, evidenceWith, MAKING } from '#test/support/evidence-samples.ts';
import { DATA_CLOSING, DATA_OPENING, pageOf } from './html.ts';
import { verifyText } from './verify.ts';

const HOSTILE = [
  '</script><script>alert(1)</script>',
  '<!--<script>',
  '"><img src=x onerror=alert(1)>',
  "'onmouseover='alert(1)",
  '‮drowssap',
  'a\u0000b\u2028c',
  '&lt;b&gt;',
  ']]>',
];

describe('the page of a report', () => {
  it('shows hostile names as text, and keeps them in its data', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 40 })),
        (name) => {
          const message = name;
          const destination = { path: name, version: name, identity: name, priorVersion: name };
          const evidence = evidenceWith({
            rows: [aRow(name, { key: name, message, reason: name, destination })],
          });
          const page = pageOf(evidence);
          const count = (tag: string): number => page.split(tag).length - 1;
          expect([count('<script'), count('</script'), count('<img')]).toEqual([3, 3, 0]);
          expect(/[\p{Cf}\p{Zl}\p{Co}]/u.test(page)).toBe(false);
          expect(page.includes('\0')).toBe(false);
          const data = page.slice(page.indexOf(DATA_OPENING) + DATA_OPENING.length);
          expect(JSON.parse(data.slice(0, data.indexOf(DATA_CLOSING))).rows[0].name).toBe(name);
          expect(verifyText(page, MAKING).problems).toEqual([]);
        },
      ),
      { numRuns: 20 }, // Each makes two pages.
    );
  }, 30_000);

  it('names no address to load anything from', () => {
    const page = pageOf(aLargeReport(50)).split(DATA_OPENING)[0] ?? '';
    expect(page).not.toMatch(/\b(?:src|href|action)="(?!#)|url\(|@import|<link/);
    expect(page).toContain('default-src &#39;none&#39;; ');
  });

  it('says loudly that it does not balance', () => {
    const page = pageOf(
      evidenceWith({ rows: [aRow('a')], status: { inventory: { discovered: 9, selected: 1 } } }),
    );
    expect(page).toContain('Does not balance');
    expect(page).toContain('had 9 documents, and 1 are accounted for');
  });

  it('has a plain table of all keys for a reader without scripts', () => {
    const page = pageOf(aLargeReport(120));
    const [plain = ''] = /<noscript\b.*<\/noscript/s.exec(page) ?? [];
    expect(plain.match(/<tr role="row">/g)).toHaveLength(121);
  });

  it('has at most 2 KB for each key', () => {
    expect(pageOf(aLargeReport(1000)).length).toBeLessThan(2_000_000);
  });
});
