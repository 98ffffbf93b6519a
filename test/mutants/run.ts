import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MUTANTS, type Mutant } from './table.ts';

/*
 * Applies each mutation of table.ts to a copy of the sources and runs the tests that must notice it. Exits with 1 if a
 * mutation survives, or no longer applies because its source changed.
 *
 *   node test/mutants/run.ts [text of the titles to run]
 */

const root = join(import.meta.dirname, '..', '..');
/** What the unit tests read. */
const COPIED = ['src', 'test', 'docs', 'crds', 'config', 'package.json', 'tsconfig.json', 'vitest.config.ts'];

interface Verdict {
  readonly mutant: Mutant;
  readonly state: 'killed' | 'SURVIVED' | 'DOES NOT APPLY';
}

async function copyOfSources(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'keyferry-mutants-'));
  for (const name of COPIED) await cp(join(root, name), join(copy, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** True when every test of these files passes in this copy. */
async function passes(copy: string, files: readonly string[]): Promise<boolean> {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--project', 'unit', '--bail', '1', ...files];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: 'ignore' });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('exit', resolve);
  child.once('error', reject);
  return (await promise) === 0;
}

async function tryMutant(copy: string, mutant: Mutant): Promise<Verdict> {
  const file = join(copy, mutant.file);
  const original = await readFile(file, 'utf8');
  if (original.split(mutant.replace).length !== 2) return { mutant, state: 'DOES NOT APPLY' };
  await writeFile(
    file,
    original.replace(mutant.replace, () => mutant.by),
  );
  try {
    return { mutant, state: (await passes(copy, mutant.killedBy)) ? 'SURVIVED' : 'killed' };
  } finally {
    await writeFile(file, original);
  }
}

async function main(wanted = ''): Promise<number> {
  const mutants = MUTANTS.filter(({ title }) => title.includes(wanted));
  const copy = await copyOfSources();
  try {
    const files = [...new Set(mutants.flatMap(({ killedBy }) => killedBy))];
    if (!(await passes(copy, files))) {
      console.error('The tests fail without a mutation. Run make test-unit first.');
      return 1;
    }
    let killed = 0;
    for (const mutant of mutants) {
      const { state } = await tryMutant(copy, mutant);
      if (state === 'killed') killed += 1;
      console.log(`${state.padEnd(14)} ${mutant.title}  (${mutant.killedBy.join(', ')})`);
    }
    console.log(`${killed} of ${mutants.length} mutations killed`);
    return killed === mutants.length ? 0 : 1;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv[2]);
