import type { Evidence, EvidenceBackend } from './evidence.ts';
import { html, nameText, trusted, type Markup } from './markup.ts';
import { OUTCOME_LABELS, OUTCOME_MEANINGS } from './words.ts';

/*
 * The parts of the page that are not about single keys.
 */

/** What the page is about, and whether its numbers balance. */
export function headSection({ migration, madeAt, madeBy, balance }: Evidence): Markup {
  const verdict = balance.isBalanced
    ? html`<p class="verdict good">Balanced: every document that the source has listed is accounted for.</p>`
    : html`<div class="verdict bad" role="alert">
        Does not balance: this report is not evidence that every document is accounted for.
        <ul>
          ${balance.problems.map((problem) => html`<li>${problem}</li>`)}
        </ul>
      </div>`;
  return html`<header>
    <a class="skip" href="#keys">Skip to the keys</a>
    <h1>Evidence report: ${nameText(migration.name)}</h1>
    <p class="quiet">
      SecretMigration ${nameText(migration.namespace)}/${nameText(migration.name)}, uid ${migration.uid}.<br />Made
      at ${madeAt} by keyferry ${madeBy.version}.
    </p>
    ${verdict}
  </header>`;
}

/** The equation, in documents. */
export function totalsSection({ totals, excluded, keys }: Evidence): Markup {
  const shown = [
    'migrated',
    'adopted',
    'migratedOrAdopted',
    'skipped',
    'excluded',
    'held',
    'failed',
    'pending',
  ] as const;
  const always = new Set<string>(['migrated', 'adopted', 'skipped', 'excluded', 'held', 'failed']);
  const parts = shown.filter((outcome) => always.has(outcome) || totals[outcome] > 0);
  const equation = parts
    .map((outcome) => `${totals[outcome]} ${OUTCOME_LABELS[outcome].toLowerCase()}`)
    .join(' + ');
  const since = totals.sinceLastPass;
  const later =
    since === 0
      ? undefined
      : html`<p>
          Since the last pass over the whole selection, ${Math.abs(since)} documents
          ${since > 0 ? 'joined' : 'left'}: the sum on the right is ${Math.abs(since)}
          ${since > 0 ? 'more' : 'less'} than what that pass discovered.
        </p>`;
  return section('totals', 'Documents', [
    html`<p class="equation"><strong>${totals.discovered} discovered = ${equation}</strong></p>`,
    html`<dl class="totals">
      <div>
        <dt>Discovered</dt>
        <dd>${totals.discovered}</dd>
      </div>
      ${parts.map(
        (outcome) =>
          html`<div class="${outcome}">
            <dt>${OUTCOME_LABELS[outcome]}</dt>
            <dd>${totals[outcome]}</dd>
          </div>`,
      )}
    </dl>`,
    ...(later === undefined ? [] : [later]),
    html`<h3>What the words mean</h3>`,
    facts(parts.map((outcome) => [OUTCOME_LABELS[outcome], OUTCOME_MEANINGS[outcome]])),
    ...(excluded.length === 0
      ? []
      : [
          html`<h3>Excluded documents, by reason</h3>`,
          facts(excluded.map(({ reason, meaning, documents }) => [reason, `${documents}. ${meaning}`])),
        ]),
    html`<p class="quiet">These documents have ${keys.total} keys: ${statesText(keys.states)}.</p>`,
  ]);
}

function statesText(states: Readonly<Record<string, number>>): string {
  const parts = Object.entries(states).map(([state, keys]) => `${keys} ${state}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}

/** Who wrote the migration and who approved which plan, as far as the API server knows. */
export function writersSection({ writers, approval, operator, notKnown }: Evidence): Markup {
  const { approvedDigest, planDigest, manager = 'an unknown program', time = 'an unknown time' } = approval;
  const approved =
    approvedDigest === undefined ? 'None.' : `${approvedDigest}, written by ${manager}, ${time}`;
  const lines = writers.map(
    ({ manager: program, operation, subresource, time: at, parts }) =>
      [
        program,
        `${operation} of ${parts.join(', ')}${subresource === undefined ? '' : ` (${subresource})`}, last at ${at ?? 'an unknown time'}`,
      ] as const,
  );
  return section('writers', 'Who created and approved it', [
    facts([
      ['Approval required', approval.required ? 'yes' : 'no'],
      ['Approved plan', approved],
      ...(planDigest === undefined ? [] : [['Plan that waits for approval', planDigest] as const]),
      [
        'Operator',
        operator.version === undefined
          ? 'Its version is not recorded.'
          : `keyferry ${operator.version} wrote the status last`,
      ],
    ]),
    html`<h3>Programs that wrote the object</h3>`,
    facts(lines),
    html`<h3>What this report cannot know</h3>`,
    html`<ul>
      ${notKnown.map((sentence) => html`<li>${sentence}</li>`)}
    </ul>`,
  ]);
}

/** Where the values were and are. */
export function backendsSection({ backends, destinationStore }: Evidence): Markup {
  return section('backends', 'Backends', [
    ...backends.flatMap((backend) => [
      html`<h3>
        ${backend.side === 'source' ? 'Source' : 'Destination'}:
        ${nameText(`${backend.kind} ${backend.name}`)}
      </h3>`,
      facts(factsOf(backend)),
    ]),
    ...(destinationStore === undefined
      ? []
      : [
          html`<h3>Store of the destination, as the last run recorded it</h3>`,
          html`<p class="mono">${destinationStore}</p>`,
        ]),
  ]);
}

function factsOf({ uid, generation, type, identity, place, server, unknown }: EvidenceBackend): Facts {
  const rows: readonly (readonly [string, string | number | undefined])[] = [
    ['Type', type],
    ['Identity of the store', identity],
    ['Place', place],
    ['Server', server === undefined ? undefined : `${server.product} ${server.version}`],
    ['Object', uid === undefined ? undefined : `uid ${uid}, generation ${generation}`],
    ['Not known', unknown],
  ];
  return rows.flatMap(([term, value]) => (value === undefined ? [] : [[term, String(value)] as const]));
}

const TIMES = [
  ['created', 'Created'],
  ['started', 'Run started'],
  ['completed', 'Completed'],
  ['lastSync', 'Last change carried to the other side'],
  ['firstChange', 'First of the last changes of keys'],
  ['lastChange', 'Last change of a key'],
] as const;

/** When what happened, and what the conditions say. */
export function timesSection({ times, conditions }: Evidence): Markup {
  return section('times', 'Times and conditions', [
    facts(TIMES.flatMap(([name, term]) => (times[name] === undefined ? [] : [[term, times[name]] as const]))),
    html`<h3>Conditions</h3>`,
    facts(
      conditions.map(({ type, status, reason, message, lastTransitionTime }) => [
        `${type} is ${status}`,
        `${reason}, since ${lastTransitionTime}. ${message}`,
      ]),
    ),
  ]);
}

/** The spec of the migration, as the API server has it. */
export function specSection({ migration }: Evidence): Markup {
  return section('spec', 'Specification', [
    html`<p class="quiet">
      Generation ${migration.generation}; the status is about generation ${migration.observedGeneration}.
    </p>`,
    html`<pre tabindex="0" aria-label="Specification">${trusted(preOf(migration.spec))}</pre>`,
  ]);
}

function preOf(spec: unknown): string {
  const lines = JSON.stringify(spec, undefined, 2).split('\n');
  return lines.map((line) => html`${line}`.html).join('\n');
}

/** How to check the report. */
export function integritySection({ chain }: Evidence): Markup {
  return section('integrity', 'Integrity', [
    facts([
      ['Head of the chain', chain.head],
      ['Keys in the chain', String(chain.rows)],
    ]),
    html`<p>
      Each key has the SHA-256 of its row and of the hash before it; the first one covers everything else in
      this report. <code>keyferry report verify FILE</code> computes them again, without a cluster. A person
      who changes the report can compute new hashes too, so keep the head in another place when the report is
      made, and compare: <code>keyferry report verify FILE --head ${chain.head}</code>
    </p>`,
  ]);
}

type Facts = readonly (readonly [term: string, description: string])[];

function facts(rows: Facts): Markup {
  return html`<dl class="facts">
    ${rows.map(
      ([term, description]) =>
        html`<dt>${term}</dt>
          <dd>${description}</dd>`,
    )}
  </dl>`;
}

/** A landmark with a heading. */
export function section(id: string, title: string, content: readonly Markup[]): Markup {
  return html`<section aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${content}
  </section>`;
}
