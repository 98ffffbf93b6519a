import { readFileSync } from 'node:fs';
import { Api, Refusal } from './api.ts';
import { COMMANDS } from './commands.ts';

/*
 * The commands of `bao` that the documentation uses, for machines that have a server of the harness but not the program. It prints
 * what bao prints. A command or a flag that it does not know is an error. BAO_ADDR, BAO_TOKEN and BAO_CACERT are as for bao.
 */

/** Flags as `-name=value` or `-name`, everything else in order. `-` alone is standard input. */
function parse(args: readonly string[]): {
  words: readonly string[];
  flags: ReadonlyMap<string, readonly string[]>;
} {
  const flags = new Map<string, string[]>();
  const words: string[] = [];
  for (const arg of args) {
    const flag = /^--?([a-z][a-z-]*)(?:=([\s\S]*))?$/.exec(arg);
    if (flag === null) words.push(arg);
    else flags.set(flag[1] ?? '', [...(flags.get(flag[1] ?? '') ?? []), flag[2] ?? 'true']);
  }
  return { words, flags };
}

async function main(): Promise<number> {
  const { words, flags } = parse(process.argv.slice(2));
  const name = [3, 2, 1].map((count) => words.slice(0, count).join(' ')).find((start) => COMMANDS.has(start));
  const command = name === undefined ? undefined : COMMANDS.get(name);
  if (name === undefined || command === undefined) {
    process.stderr.write(`test/docs/bao does not know "${words.join(' ')}"\n`);
    return 64;
  }
  const unknown = [...flags.keys()].filter((flag) => !['format', 'field', ...command.flags].includes(flag));
  if (unknown.length > 0) {
    process.stderr.write(`test/docs/bao does not know -${unknown.join(', -')} of "${name}"\n`);
    return 64;
  }
  const api = new Api(process.env);
  try {
    const text = await command.run({
      api,
      words: words.slice(name.split(' ').length),
      flag: (flag) => flags.get(flag)?.at(-1),
      flagsOf: (flag) => flags.get(flag) ?? [],
      stdin: () => readFileSync(0, 'utf8'),
    });
    process.stdout.write(text);
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

process.exitCode = await main();
