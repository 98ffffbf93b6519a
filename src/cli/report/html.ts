import { createHash } from 'node:crypto';
import { parseJson } from '#src/json/parse.ts';
import { canonicalJson } from './canonical-json.ts';
import { doneChart, legendOf, statesChart, timelineTable } from './charts.ts';
import { EvidenceSchema, type Evidence } from './evidence.ts';
import { keysSection, PAGE_LABELS } from './keys-section.ts';
import { html, nameText, trusted, type Markup } from './markup.ts';
import { PAGE_SCRIPT } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import {
  backendsSection,
  headSection,
  integritySection,
  section,
  specSection,
  timesSection,
  totalsSection,
  writersSection,
} from './sections.ts';
import { textOf } from './text.ts';
import { timelineOf } from './timeline.ts';

/** The element of the page that has the report as JSON. */
export const DATA_OPENING = '<script type="application/json" id="keyferry-evidence">';
export const DATA_CLOSING = '</script>';

/**
 * The report as one page that loads nothing: style, script and drawings are in it, and its Content-Security-Policy allows
 * nothing else. The same report has the same page, byte for byte.
 */
export function pageOf(given: Evidence): string {
  const evidence = inStableOrder(given);
  const { migration } = evidence;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy()}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <meta name="color-scheme" content="light dark" />
        <title>Evidence report: ${nameText(migration.namespace)}/${nameText(migration.name)}</title>
        ${elementOf('style', PAGE_STYLE)}
      </head>
      <body>
        ${headSection(evidence)}
        <main>
          ${totalsSection(evidence)} ${timeSection(evidence)} ${keysSection(evidence)}
          ${writersSection(evidence)} ${timesSection(evidence)} ${backendsSection(evidence)}
          ${specSection(evidence)} ${integritySection(evidence)}
        </main>
        <footer>
          <p>
            This report has names, versions, times and counts. It has no value, and no length or digest of
            one.
          </p>
        </footer>
        ${trusted(`<script type="application/json" id="labels">${dataOf(JSON.stringify(PAGE_LABELS))}</script>`)}
        ${trusted(DATA_OPENING + dataOf(textOf(evidence)) + DATA_CLOSING)} ${elementOf('script', PAGE_SCRIPT)}
      </body>
    </html> `.html;
}

/** The page of a report that was read from a file must be the same: the order of members does not matter. */
function inStableOrder({ rows, ...rest }: Evidence): Evidence {
  const header = EvidenceSchema.omit({ rows: true }).parse(parseJson(canonicalJson(rest)));
  return { ...header, rows };
}

function timeSection({ rows, times }: Evidence): Markup {
  const timeline = timelineOf(rows, times.created);
  if (timeline === undefined) return section('time', 'Over time', [html`<p>No key has a time yet.</p>`]);
  return section('time', 'Over time', [
    html`<p class="quiet">A row has the time when the state that it has now began. Times are UTC.</p>`,
    html`<div class="charts">${[doneChart(timeline), statesChart(timeline)]}</div>`,
    legendOf(timeline),
    timelineTable(timeline),
  ]);
}

/** JSON inside of a script element: nothing in it can end the element or begin a comment. */
function dataOf(json: string): string {
  return json.replaceAll('<', String.raw`\u003c`);
}

/** The policy has the digest of its text, to the byte. */
function elementOf(name: 'style' | 'script', text: string): Markup {
  return trusted(`<${name}>${text}</${name}>`);
}

/** Only the style and the script of this page; no request, no form, no base. */
function policy(): string {
  return [
    "default-src 'none'",
    `style-src '${sourceOf(PAGE_STYLE)}'`,
    `script-src '${sourceOf(PAGE_SCRIPT)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

function sourceOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
