import { describe, expect, it } from 'vitest';
import { pageOf } from '#src/cli/report/html.ts';
import { aLargeReport, aRow, evidenceWith } from '#test/support/evidence-samples.ts';
import { accessibilityProblems, useBrowser, type View } from './browser.ts';

const open = useBrowser();
const SMALL = pageOf(aLargeReport(130));

const VIEWS: readonly View[] = [
  { width: 1280, scheme: 'light' },
  { width: 1280, scheme: 'dark' },
  { width: 360, scheme: 'light' },
  { width: 360, scheme: 'dark' },
];

/** An expression, evaluated in the page: its globals are not those of this file. */
type Expression = string;
const COUNT: Expression = 'document.getElementById("count").textContent';
const ROWS: Expression = 'document.querySelectorAll("#rows tr").length';
/** The element that has the focus, and how its outline is drawn. */
const STOP: Expression =
  '((stop) => `${stop.id || stop.textContent.trim()} ${getComputedStyle(stop).outlineStyle}`)(document.activeElement)';
const NAMES: Expression = '[...document.querySelectorAll("#rows tr")].map((row) => row.cells[1].textContent)';

describe.each(VIEWS)('the page of a report, $width pixels wide, $scheme', (view) => {
  it('fits its width, has the colors of the scheme, and breaks no rule of accessibility', async () => {
    const { page } = await open(SMALL, view);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(view.width);
    const ground = String(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
    expect(ground).toBe(view.scheme === 'dark' ? 'rgb(20, 23, 29)' : 'rgb(255, 255, 255)');
    expect(await accessibilityProblems(page)).toEqual([]);
  });
});

describe('the page of a report', () => {
  it('loads nothing, and runs nothing of a hostile name', async () => {
    const name =
      '</script><script>globalThis.ran = 1</script><img src="https://example.com/x" onerror="ran = 1">';
    const hostile = aRow(name, { key: name, message: name, destination: { path: name } });
    const { page, requests, messages } = await open(pageOf(evidenceWith({ rows: [hostile] })));
    expect(await page.evaluate(NAMES)).toEqual([name]);
    expect(await page.evaluate('globalThis.ran')).toBeUndefined();
    expect({ requests, messages }).toEqual({ requests: [], messages: [] });
  });

  it('filters by text and state, says how many keys are left, and shows all again', async () => {
    const { page } = await open(SMALL);
    expect(await page.evaluate(COUNT)).toBe('1–100 of 130 keys');
    await page.type('#text', 'SMTP-0000');
    expect(await page.evaluate(COUNT)).toBe('1–2 of 2 keys, filtered from 130');
    expect(await page.evaluate(NAMES)).toEqual(['smtp-00001', 'smtp-00007']);
    await page.click('button[type=reset]');
    await page.waitForFunction(`${COUNT} === '1–100 of 130 keys'`);
    await page.select('#state', 'Conflict');
    expect(await page.evaluate(COUNT)).toMatch(/^1–\d of \d keys, filtered from 130$/);
    await page.select('#outcome', 'migrated');
    expect(await page.evaluate(COUNT)).toBe('No key fits.');
  });

  it('is reached with the keyboard alone, in the order of the page, and every stop is visible', async () => {
    const { page } = await open(SMALL);
    const stops: string[] = [];
    for (let stop = 0; stop < 16; stop += 1) {
      await page.keyboard.press('Tab');
      stops.push(String(await page.evaluate(STOP)));
    }
    const expected = [
      'Skip to the keys',
      'The numbers of the charts',
      'text',
      'state',
      'outcome',
      'Show all',
      '#',
      'Document',
      'Key',
      'State',
      'Outcome',
      'Reason',
      'Source',
      'Destination',
      'Since',
      'after',
    ];
    expect(stops).toEqual(expected.map((stop) => `${stop} solid`));
  });

  it('sorts by a column, in both directions, and says so to a screen reader', async () => {
    const { page } = await open(SMALL);
    const sorted = `[document.querySelector("#keys th:nth-child(2)").getAttribute("aria-sort"), ${NAMES}[0]]`;
    await page.focus('#keys th:nth-child(2) button');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(sorted)).toEqual(['ascending', 'bearer-token-00004']);
    await page.keyboard.press('Enter');
    expect(await page.evaluate(sorted)).toEqual(['descending', 'webhook-00128']);
  });

  it('tells a screen reader its landmarks, its table and its status', async () => {
    const { page } = await open(SMALL);
    const tree = JSON.stringify(await page.accessibility.snapshot({ interestingOnly: false }));
    for (const role of ['banner', 'main', 'search', 'navigation', 'contentinfo', 'status', 'table', 'image'])
      expect(tree).toContain(`"role":"${role}"`);
  });

  it('stays usable with 10,000 keys: it draws one page of them, and all on paper', async () => {
    const { page } = await open(pageOf(aLargeReport(10_000)));
    expect(await page.evaluate(COUNT)).toBe('1–100 of 10000 keys');
    await page.click('#after');
    expect([await page.evaluate(ROWS), await page.evaluate(COUNT)]).toEqual([100, '101–200 of 10000 keys']);
    await page.type('#text', '09999');
    expect(await page.evaluate(ROWS)).toBe(1);
  });

  it('has all keys and no controls on paper', async () => {
    const { page } = await open(SMALL);
    await page.emulateMediaType('print');
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    expect(await page.evaluate(ROWS)).toBe(130);
    expect(await page.evaluate('getComputedStyle(document.getElementById("filters")).display')).toBe('none');
    await page.evaluate('dispatchEvent(new Event("afterprint"))');
    expect(await page.evaluate(ROWS)).toBe(100);
  });

  it('is one plain table without scripts', async () => {
    const { page } = await open(SMALL, { hasScripts: false, width: 360 });
    expect((await page.$$('noscript tbody tr')).length).toBe(130);
    expect(await page.$eval('#table', (table) => table.hasAttribute('hidden'))).toBe(true);
  });
});
