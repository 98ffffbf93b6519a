import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import { launch, type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll } from 'vitest';
import { findBrowser } from './find-browser.ts';

/** How a reader sees a page. */
export interface View {
  /** Pixels of CSS. */
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
  readonly hasScripts?: boolean;
}

/** A page of a report that a reader has opened from a file, and everything that it did besides. */
export interface Opened {
  readonly page: Page;
  /** Addresses that it asked for, besides itself. */
  readonly requests: readonly string[];
  /** What it wrote to the console: errors of the script, and what the policy blocked. */
  readonly messages: readonly string[];
}

/** Root has no sandbox, and the pages are ours. */
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'];

/** A headless Chromium for the tests of a file. */
export function useBrowser(): (html: string, view?: View) => Promise<Opened> {
  let browser: Browser | undefined;
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-browser-'));
  beforeAll(async () => {
    const { executablePath, environment } = await findBrowser();
    const env = { ...process.env, ...environment };
    browser = await launch({ executablePath, env, args: ARGUMENTS, headless: 'shell' });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return async (html, { width = 1280, scheme = 'light', hasScripts = true } = {}) => {
    if (browser === undefined) throw new Error('the browser starts before the first test');
    const file = join(mkdtempSync(join(folder, 'page-')), 'report.html');
    writeFileSync(file, html);
    const page = await browser.newPage();
    const [requests, messages]: [string[], string[]] = [[], []];
    const own = pathToFileURL(file).href;
    page.on('request', (request) => void (request.url() === own || requests.push(request.url())));
    page.on('console', (message) => void messages.push(message.text()));
    page.on('pageerror', (error) => void messages.push(String(error)));
    await page.setJavaScriptEnabled(hasScripts);
    await page.setViewport({ width, height: 800 });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.goto(own);
    return { page, requests, messages };
  };
}

/** What axe-core finds wrong for people with disabilities: each rule with the elements that break it. */
export async function accessibilityProblems(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const run = 'axe.run(document, { resultTypes: ["violations"] })';
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what axe.run resolves with
  const { violations } = (await page.evaluate(run)) as axe.AxeResults;
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
  );
}
