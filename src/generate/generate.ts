/**
 * Writes crds/*.yaml, docs/spec/v1alpha1/*.md, docs/reasons.md, docs/commands.md, docs/performance.md with its drawings, and parts of
 * charts/keyferry from the schemas, the declared commands, the records of benches and config/.
 *
 *     node src/generate/generate.ts           write
 *     node src/generate/generate.ts --check   write nothing; exit 1 and name each file that differs
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { dump } from 'js-yaml';
import { CHART_CRDS, chartFiles } from './chart.ts';
import { commandsPage } from './commands.ts';
import { crdOf } from './crd.ts';
import { GROUP, KINDS, VERSION } from '#src/api/group.ts';
import { KIND_DEFINITIONS } from './kind-definitions.ts';
import { performanceFiles } from './performance.ts';
import { reasonsPage } from './reasons.ts';
import { referenceOf, vocabularyReference } from './reference.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CRDS = 'crds';
const REFERENCE = `docs/spec/${VERSION}`;

/** Every generated file: path below the project → content. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const crds = new Map<string, string>();
  for (const definition of KIND_DEFINITIONS) {
    const { plural } = KINDS[definition.kind];
    const yaml = dump(crdOf(definition), { lineWidth: -1, noRefs: true });
    crds.set(
      `${GROUP}_${plural}.yaml`,
      `# Generated from src/api and src/backends by \`node src/generate/generate.ts\`; do not edit.\n${yaml}`,
    );
    files.set(`${REFERENCE}/${definition.kind.toLowerCase()}.md`, referenceOf(definition));
  }
  files.set(`${REFERENCE}/status-vocabulary.md`, vocabularyReference());
  files.set('docs/reasons.md', reasonsPage());
  files.set('docs/commands.md', commandsPage());
  for (const [file, crd] of crds) files.set(`${CRDS}/${file}`, crd);
  return new Map([...files, ...performanceFiles(ROOT), ...chartFiles(ROOT, crds)]);
}

/** Paths below `root` that differ from what would be generated: changed, missing, or no longer generated. */
export function driftedFiles(root: string, expected = generatedFiles()): readonly string[] {
  const stale = [CRDS, REFERENCE, CHART_CRDS]
    .flatMap((folder) => entriesOf(join(root, folder)))
    .map((file) => relative(root, file))
    .filter((file) => !expected.has(file));
  const changed = [...expected].filter(([file, content]) => contentOf(join(root, file)) !== content);
  return [...changed.map(([file]) => file), ...stale].toSorted();
}

/** Writes every generated file below `root` and removes what is no longer generated. */
export function writeGeneratedFiles(root: string): void {
  const expected = generatedFiles();
  for (const file of driftedFiles(root, expected)) {
    const content = expected.get(file);
    const path = join(root, file);
    if (content === undefined) {
      rmSync(path);
      continue;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

function entriesOf(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => join(folder, name));
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function main(argv: readonly string[]): number {
  const drifted = driftedFiles(ROOT);
  if (!argv.includes('--check')) {
    writeGeneratedFiles(ROOT);
    process.stdout.write(drifted.map((file) => `wrote ${file}\n`).join(''));
    return 0;
  }
  for (const file of drifted) process.stderr.write(`differs from its source: ${file}\n`);
  if (drifted.length > 0) process.stderr.write('Run: make generate\n');
  return drifted.length > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
