import { drawingOf } from './performance-drawing.ts';
import {
  isMet,
  kindOf,
  madeOf,
  readRecord,
  recordFile,
  SERVER_NAMES,
  shownMeasure,
  targetOf,
  type Measure,
  type PerformanceRecord,
  type Server,
} from './performance-record.ts';

const NOTICE =
  '<!-- Generated from docs/performance/*.json by `make generate`; do not edit. `make bench RECORD=1` writes the records. -->';
const SERVERS: readonly Server[] = ['openbao', 'vault'];

/** docs/performance.md and its drawings, of the records below this root. */
export function performanceFiles(root: string): ReadonlyMap<string, string> {
  const records = SERVERS.map((server) => readRecord(root, server)).filter((record) => record !== undefined);
  const files = records.map((record) => [drawingFile(record), drawingOf(record, titleOf(record))] as const);
  return new Map([['docs/performance.md', performancePage(records)], ...files]);
}

function drawingFile({ server }: PerformanceRecord): string {
  return recordFile(server).replace(/\.json$/, '.svg');
}

function titleOf({ server }: PerformanceRecord): string {
  return `Cost of a document and peak memory against the number of documents, with ${SERVER_NAMES[server]}`;
}

/** The page of these records. */
export function performancePage(records: readonly PerformanceRecord[]): string {
  return `${[
    NOTICE,
    '# Performance',
    'How close Keyferry comes to what the servers can do. Each number is a ratio within one run on one machine: beside each ' +
      'measurement runs a bare loop, which sends the same requests to the same servers with the same HTTP client, as many ' +
      'connections and a token of the [documented policy](openbao-policy.md), and compares nothing. 0.80 means: 80 % of the rate ' +
      'of that loop, with every value read back and compared. The servers and the operator share the cores of the machine.',
    'A document is a Secret of three keys and about 1 KB; `200 × 20` are 200 migrations of 20 documents, each with two backends of its ' +
      'own. The time of a migration goes from its creation to `Ready`.',
    ...whatIsBare(),
    'Why a target is not met, and what was tried: [0084](adr/0084-where-the-targets-of-speed-end.md).',
    ...records.flatMap(sectionOf),
    '## Measure it yourself',
    '`make bench` measures all of it on your machine and prints the same table. It fails when a ratio falls 15 % below the recorded one, ' +
      'or when a document takes more requests. `make bench PARTS=copy,start SIZES=1000` measures less, and `make bench SLICE=1` takes two ' +
      'minutes and only prints; `.ci/run` ends with it. `KEYFERRY_BAO_BIN=/path/to/bao` chooses the server. The numbers are also in ' +
      '`.bench/<server>.json`.',
    '`make bench RECORD=1` on a quiet machine, once for each server, writes `docs/performance/<server>.json`, this page and its drawings. ' +
      '`make verify` fails when the page is not what the records say.',
  ].join('\n\n')}\n`;
}

function whatIsBare(): readonly string[] {
  const rows = [
    ['Secrets → KV', 'a write with `cas: 0`, and a read of that version, of each document'],
    ['KV → Secrets', 'the creation of each Secret'],
    ['again, unchanged', 'a read of each document in KV, and pages of 500 Secrets'],
    [
      'removal',
      'pages of 500 Secrets, and for each a read in KV, a label, a read at both ends, a delete with preconditions, a read',
    ],
    ['small migrations', 'as Secrets → KV'],
    ['start to ready', 'a start of Node with an empty program'],
    ['rotation Secret → KV', 'a read, a write and a read'],
  ];
  return [
    [
      '| measure | the bare loop |',
      '| --- | --- |',
      ...rows.map(([what, loop]) => `| ${what} | ${loop} |`),
    ].join('\n'),
  ];
}

function sectionOf(record: PerformanceRecord): readonly string[] {
  const { commit, machine, measures, recordedAt, server, versions } = record;
  const { cores, memoryGiB, model, system } = machine;
  return [
    `## ${SERVER_NAMES[server]}`,
    `${versions.server}, Kubernetes ${versions.kubernetes}, Node ${versions.node}, Keyferry ${versions.keyferry} at commit \`${commit}\`, ` +
      `measured on ${recordedAt.slice(0, 10)} with ${cores} cores (${model}), ${memoryGiB} GiB, ${system}.`,
    `![${titleOf(record)}](${drawingFile(record).replace('docs/', '')})`,
    [
      '| measure | documents | value | target | met | made of |',
      '| --- | --- | --- | --- | --- | --- |',
      ...measures.map(rowOf),
    ].join('\n'),
  ];
}

function rowOf(measure: Measure): string {
  const { title, unit } = kindOf(measure.name);
  const met = isMet(measure);
  const value = `${shownMeasure(measure)}${unit === 'of bare' ? ' of bare' : ''}`;
  const cells = [
    title,
    measure.size ?? '',
    value,
    targetOf(measure.name),
    met === undefined ? '' : met ? 'yes' : 'no',
    madeOf(measure),
  ];
  return `| ${cells.join(' | ')} |`;
}
