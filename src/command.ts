import { readFileSync } from 'node:fs';
import { keepMemoryOutOfCoreDumps } from './app/core-dumps.ts';
import { runOperator } from './app/run.ts';
import { helpText } from './config/help.ts';
import { loadConfig } from './config/load.ts';
import { explain } from './errors/explain.ts';
import { errorOf } from './errors.ts';

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

function print(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** The version of package.json, the one place that has it. */
function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const isManifest = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return isManifest && typeof manifest.version === 'string' ? manifest.version : 'unknown';
}

async function operator(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    print(process.stdout, helpText());
    return 0;
  }
  // Before anything reads a value.
  const dumpsMemory = !keepMemoryOutOfCoreDumps();
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort(new Error('SIGTERM')));
  process.once('SIGINT', () => stop.abort(new Error('SIGINT')));
  try {
    const config = loadConfig(argv, process.env);
    return await runOperator(config, {
      version: readVersion(),
      signal: stop.signal,
      dumpsMemory,
      exit: (code) => process.exit(code),
    });
  } catch (failure) {
    const error = errorOf(failure);
    if (error.code !== 'CONFIG_INVALID') throw failure;
    print(process.stderr, `keyferry: ${explain(error)}`);
    return EXIT_USAGE;
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  if (command === 'operator') return operator(rest);
  if (command === '--version' || command === 'version') {
    print(process.stdout, readVersion());
    return 0;
  }
  if (command === undefined || command === '--help' || command === '-h' || command === 'help') {
    print(process.stdout, helpText());
    return command === undefined ? EXIT_USAGE : 0;
  }
  print(process.stderr, `keyferry: unknown command. The only one is operator. Run keyferry --help.`);
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
