import { readFileSync } from 'node:fs';

/*
 * An older Node cannot even parse the program, and would print a stack trace that names no cause. So this file imports
 * nothing of it before the check, and has only syntax and functions that Node 14.8 has.
 */

/** As the major and minor number; the lowest that package.json allows, or the one that runs. */
function numbersOf(version: string): readonly number[] {
  return version
    .replace(/^[^0-9]+/, '')
    .split('.')
    .slice(0, 2)
    .map(Number);
}

/** The lowest version that package.json allows: `>=24.12`. */
function needed(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const engines = /"engines": *\{[^}]*"node": *"([^"]*)"/.exec(text);
  return engines === null ? '' : String(engines[1]);
}

const [major = 0, minor = 0] = numbersOf(process.versions.node);
const [neededMajor = 0, neededMinor = 0] = numbersOf(needed());
if (major < neededMajor || (major === neededMajor && minor < neededMinor)) {
  process.stderr.write(
    `keyferry: this is Node ${process.versions.node} (${process.execPath}), and ${neededMajor}.${neededMinor} or later is needed; install it (https://nodejs.org/en/download), or put it first in PATH.\n`,
  );
  process.exit(2);
}

// A report of Node, which only a person asks for, has no environment.
process.report.excludeEnv = true;
const { exitCodeOf } = await import('./command.ts');
// What is still open (a timer, a socket, work that ignores its signal) must not keep a process alive that has ended.
process.exit(await exitCodeOf(process.argv.slice(2)));
