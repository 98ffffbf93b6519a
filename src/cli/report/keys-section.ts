import { ROW_STATES } from '#src/api/v1alpha1/conditions.ts';
import type { Evidence, EvidenceRow } from './evidence.ts';
import { OUTCOMES } from './evidence.ts';
import { html, nameText, type Markup } from './markup.ts';
import { section } from './sections.ts';
import { OUTCOME_LABELS } from './words.ts';

/*
 * The table of keys: filled by the script of the page, or plain where scripts do not run.
 */

const COLUMNS = [
  '#',
  'Document',
  'Key',
  'State',
  'Outcome',
  'Reason',
  'Source',
  'Destination',
  'Since',
] as const;
const [NUMBER, DOCUMENT, KEY, STATE, OUTCOME, REASON, SOURCE, DESTINATION, SINCE] = COLUMNS;
const VERSION = 'version';
const PRIOR = 'before it, version';

/** Words that the script of the page shows. */
export const PAGE_LABELS: Readonly<Record<string, string>> = {
  ...OUTCOME_LABELS,
  version: VERSION,
  prior: PRIOR,
  none: 'No key fits.',
};

/** The table, its filters, and the plain table without scripts. */
export function keysSection({ rows, migration }: Evidence): Markup {
  const what = html`The keys of ${nameText(migration.namespace)}/${nameText(migration.name)}`;
  return section('keys', 'Keys', [
    html`<div id="table" hidden>
      ${filters(rows)}
      <p id="count" role="status" aria-live="polite"></p>
      <table id="keys" class="stack keys" role="table">
        <caption>
          ${what}. A button in the head of a column sorts by it.
        </caption>
        <thead role="rowgroup">
          <tr role="row">
            ${COLUMNS.map(
              (label, index) =>
                html`<th
                  role="columnheader"
                  scope="col"
                  data-label="${label}"
                  aria-sort="${index === 0 ? 'ascending' : 'none'}"
                >
                  <button type="button">${label}</button>
                </th>`,
            )}
          </tr>
        </thead>
        <tbody id="rows" role="rowgroup"></tbody>
      </table>
      <nav class="pager" aria-label="Pages of the table">
        <button id="before" type="button">Previous keys</button
        ><button id="after" type="button">Next keys</button>
      </nav>
    </div>`,
    html`<noscript
      ><table class="stack keys" role="table">
        <caption>
          ${what}
        </caption>
        <thead class="plain" role="rowgroup">
          <tr role="row">
            ${COLUMNS.map((label) => html`<th role="columnheader" scope="col">${label}</th>`)}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${rows.map((row, index) => plainRow(row, index + 1))}
        </tbody>
      </table></noscript
    >`,
  ]);
}

function filters(rows: readonly EvidenceRow[]): Markup {
  const states = ROW_STATES.filter((state) => rows.some((row) => row.state === state));
  const outcomes = OUTCOMES.filter((outcome) => rows.some((row) => row.outcome === outcome));
  return html`<form id="filters" class="controls" role="search" aria-label="Filter the keys">
    <label class="wide">Text in any column<input id="text" type="search" autocomplete="off" /></label>
    <label
      >State<select id="state">
        <option value="">All</option>
        ${states.map((state) => html`<option>${state}</option>`)}
      </select></label
    >
    <label
      >Outcome<select id="outcome">
        <option value="">All</option>
        ${outcomes.map((outcome) => html`<option value="${outcome}">${OUTCOME_LABELS[outcome]}</option>`)}
      </select></label
    >
    <button type="reset">Show all</button>
  </form>`;
}

function plainRow(row: EvidenceRow, number: number): Markup {
  const { source, destination, outcome } = row;
  const priorVersion = destination?.priorVersion;
  return html`<tr role="row">
    ${cell(NUMBER, [String(number)])}${cell(DOCUMENT, [nameText(row.name)])}${cell(KEY, [nameText(row.key)])}${cell(STATE, [row.state])}${cell(OUTCOME, [OUTCOME_LABELS[outcome]])}${cell(REASON, [row.reason, row.message])}${cell(SOURCE, [pathOf(source), versionOf(VERSION, source?.version)])}${cell(DESTINATION, [pathOf(destination), newKeyOf(destination?.key), versionOf(VERSION, destination?.version), versionOf(PRIOR, priorVersion)])}${cell(SINCE, [row.lastTransitionTime])}
  </tr>`;
}

function pathOf(side: { readonly path?: string | undefined } | undefined): Markup | undefined {
  return side?.path === undefined ? undefined : nameText(side.path);
}

function newKeyOf(key: string | undefined): Markup | undefined {
  return key === undefined ? undefined : html`${KEY} ${nameText(key)}`;
}

function versionOf(label: string, version: string | undefined): string | undefined {
  return version === undefined ? undefined : `${label} ${version}`;
}

/** The first text is the content, the others are smaller, below it. */
function cell(label: string, texts: readonly (Markup | string | undefined)[]): Markup {
  const parts = texts.map((text, index) =>
    text === undefined ? html`` : html`<span class="${index === 0 ? '' : 'more'}">${text}</span>`,
  );
  return html`<td role="cell" data-label="${label}"><div>${parts}</div></td>`;
}
