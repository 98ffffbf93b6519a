import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseJson } from '#src/json/parse.ts';
import { explain } from './errors/explain.ts';
import { errorOf } from './errors.ts';

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** As the shell reports a program whose reader went away (SIGPIPE). */
const EXIT_NO_READER = 141;

function print(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** The version of package.json, the one place that has it. */
function readVersion(): string {
  const manifest: unknown = parseJson(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const isManifest = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return isManifest && typeof manifest.version === 'string' ? manifest.version : 'unknown';
}

/** What only the operator needs is loaded only for it: a command of a person shall start at once. */
async function operator(argv: readonly string[]): Promise<number> {
  const { helpText } = await import('./config/help.ts');
  if (argv.includes('--help') || argv.includes('-h')) {
    print(process.stdout, helpText());
    return 0;
  }
  const { keepMemoryOutOfCoreDumps } = await import('./app/core-dumps.ts');
  const { loadConfig } = await import('./config/load.ts');
  const { runOperator } = await import('./app/run.ts');
  // Before anything reads a value.
  const dumpsMemory = !keepMemoryOutOfCoreDumps();
  return await untilAsked(async (options) =>
    runOperator(loadConfig(argv, process.env), { ...options, dumpsMemory }),
  );
}

/** The pod of one range of a migration with spec.parallelism; nobody but a Job runs it. */
async function worker(argv: readonly string[]): Promise<number> {
  const { keepMemoryOutOfCoreDumps } = await import('./app/core-dumps.ts');
  const { loadConfig } = await import('./config/load.ts');
  const { readRangeFlags } = await import('./config/range-order.ts');
  const { runWorker } = await import('./app/worker.ts');
  const dumpsMemory = !keepMemoryOutOfCoreDumps();
  return await untilAsked(async (options) => {
    const { order, rest } = readRangeFlags(argv, process.env);
    return await runWorker(loadConfig(rest, process.env), order, { ...options, dumpsMemory });
  });
}

/** Runs until a signal asks the process to end; explains flags that cannot be used. */
async function untilAsked(
  run: (options: {
    readonly version: string;
    readonly signal: AbortSignal;
    readonly exit: (code: number) => void;
  }) => Promise<number>,
): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error(signal)));
  try {
    return await run({ version: readVersion(), signal: stop.signal, exit: (code) => process.exit(code) });
  } catch (failure) {
    const error = errorOf(failure);
    if (error.code !== 'CONFIG_INVALID') throw failure;
    print(process.stderr, `keyferry: ${explain(error)}`);
    return EXIT_USAGE;
  }
}

/** Every other command: those of people. */
async function person(argv: readonly string[]): Promise<number> {
  const { nameOfProgram, runProgram } = await import('./cli/program.ts');
  const { Output } = await import('./cli/output.ts');
  const { systemClock } = await import('./runtime/system-clock.ts');
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error(signal)));
  const { env, stdin, stderr, stdout } = process;
  // `head` has seen enough.
  stdout.on('error', () => process.exit(EXIT_NO_READER));
  const streams = { stdin, stderr, stdout };
  const surroundings = {
    env,
    streams,
    output: new Output(streams, env),
    clock: systemClock,
    version: readVersion(),
    signal: stop.signal,
  };
  const code = await runProgram(argv, surroundings, nameOfProgram(process.argv[1] ?? ''));
  await Promise.all([stdout, stderr].map(flushed));
  return code;
}

/** Resolves when everything has left the process: the end of the process drops what waits for the reader of a pipe. */
async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.write('', () => resolve());
  await promise;
}

/** kubectl runs a file of this name in PATH to complete `kubectl keyferry …`: its arguments are what was typed so far. */
const COMPLETES_PLUGIN = /^kubectl_complete-/;

async function main(typed: readonly string[]): Promise<number> {
  const argv = COMPLETES_PLUGIN.test(basename(process.argv[1] ?? '')) ? ['__complete', ...typed] : typed;
  const [command, ...rest] = argv;
  if (command === 'operator') return operator(rest);
  if (command === 'worker') return worker(rest);
  if (command !== undefined) return person(argv);
  await person(['--help']);
  return EXIT_USAGE;
}

/** Runs the command of these arguments; resolves with the exit code of the process. Never rejects. */
export async function exitCodeOf(argv: readonly string[]): Promise<number> {
  try {
    return await main(argv);
  } catch (failure) {
    // Nothing of the failure's own text: it may come from a library that quotes what it was given.
    const error = errorOf(failure);
    print(process.stderr, `keyferry: ${error.code} in ${error.op}: ${explain(error)}`);
    return EXIT_FAILURE;
  }
}
