import type { Argument, Command, Option } from 'commander';

/*
 * Where the cursor is in a command line, told from the declared commands alone.
 */

/** What can stand at the cursor. */
export type Position =
  /** One of these words. */
  | { readonly kind: 'words'; readonly words: readonly Word[] }
  /** A value of this argument or flag. */
  | { readonly kind: 'value'; readonly of: Valued; readonly line: Line; readonly before: string };

/** A word, and what it is for. */
export interface Word {
  readonly text: string;
  readonly description: string;
}

/** An argument or a flag with a value. */
export interface Valued {
  /** `name`, `key`; of a flag its long name without dashes: `namespace`. */
  readonly name: string;
  /** The placeholder of its value: `file`. */
  readonly placeholder: string;
  readonly choices: readonly string[];
  readonly description: string;
}

/** What was typed before the cursor. */
export interface Line {
  /** Names from the program down: `backend`, `test`. */
  readonly command: readonly string[];
  readonly positionals: readonly string[];
  /** By long name without dashes; true for a flag without a value. */
  readonly flags: ReadonlyMap<string, string | true>;
}

/** The flags that each command knows, of those that help lists. */
function optionsOf(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

/**
 * What can stand at the cursor, where the words before it are whole and `current` is the beginning of one. An unknown command
 * or flag does not throw: then nothing can.
 */
export function positionOf(program: Command, words: readonly string[], current: string): Position {
  const reader = new LineReader(program);
  for (const word of words) reader.take(word);
  const { command, line, open } = reader;
  if (open !== undefined) return { kind: 'value', of: valued(open), line, before: '' };
  if (current.startsWith('-')) return atFlag(command, line, current);
  const commands = command.createHelp().visibleCommands(command);
  if (commands.length > 0 && line.positionals.length === 0)
    return {
      kind: 'words',
      words: commands.map((each) => ({ text: each.name(), description: each.description() })),
    };
  const argument = argumentAt(command, line.positionals.length);
  if (argument === undefined) return NOTHING;
  const { description, argChoices: choices = [] } = argument;
  const of = { name: argument.name(), placeholder: argument.name(), choices, description };
  return { kind: 'value', of, line, before: '' };
}

const NOTHING: Position = { kind: 'words', words: [] };

/** A flag itself, or its value after an equals sign. */
function atFlag(command: Command, line: Line, current: string): Position {
  const [, flag] = /^(--?[^=]+)=/.exec(current) ?? [];
  if (flag === undefined) return { kind: 'words', words: flagsOf(command, line, current) };
  const option = optionNamed(command, flag);
  if (option?.required !== true) return NOTHING;
  return { kind: 'value', of: valued(option), line, before: `${flag}=` };
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic === true ? last : undefined);
}

/** What a command line says so far, word after word. */
class LineReader {
  command: Command;
  /** The flag whose value is the next word. */
  open: Option | undefined;
  readonly #names: string[] = [];
  readonly #positionals: string[] = [];
  readonly #flags = new Map<string, string | true>();

  constructor(program: Command) {
    this.command = program;
  }

  get line(): Line {
    return { command: this.#names, positionals: this.#positionals, flags: this.#flags };
  }

  take(word: string): void {
    if (this.open !== undefined) {
      this.#flags.set(this.open.name(), word);
      this.open = undefined;
    } else if (/^-./.test(word)) this.#takeFlag(word);
    else this.#takeWord(word);
  }

  #takeFlag(word: string): void {
    const { option, value } = flagIn(this.command, word);
    if (option === undefined) return;
    if (option.required && value === undefined) this.open = option;
    else this.#flags.set(option.name(), value ?? true);
  }

  #takeWord(word: string): void {
    const below = this.#positionals.length === 0 ? commandNamed(this.command, word) : undefined;
    if (below === undefined) this.#positionals.push(word);
    else {
      this.command = below;
      this.#names.push(below.name());
    }
  }
}

function commandNamed(command: Command, word: string): Command | undefined {
  return command.commands.find((each) => each.name() === word || each.aliases().includes(word));
}

/** `--namespace=shop`, `-n=shop`, `-nshop`, and the flag alone. One whose value is optional (`required` is false) takes none then. */
function flagIn(
  command: Command,
  word: string,
): { readonly option: Option | undefined; readonly value: string | undefined } {
  const [flag = '', value] = word.split(/=(.*)/s);
  const option = optionNamed(command, flag);
  if (option !== undefined || word.startsWith('--')) return { option, value };
  return { option: optionNamed(command, word.slice(0, 2)), value: word.slice(2) };
}

function optionNamed(command: Command, flag: string): Option | undefined {
  return optionsOf(command).find(({ long, short }) => long === flag || short === flag);
}

function valued(option: Option): Valued {
  return {
    name: option.name(),
    placeholder: /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1] ?? '',
    choices: option.argChoices ?? [],
    description: option.description,
  };
}

/** Long flags, and short ones only after a single dash and a letter; none that was typed, unless it can be repeated. */
function flagsOf(command: Command, { flags }: Line, current: string): readonly Word[] {
  const isShort = /^-[^-]/.test(current);
  return optionsOf(command)
    .filter((option) => !flags.has(option.name()) || option.parseArg !== undefined)
    .flatMap(({ long, short, description }) => {
      const text = isShort ? short : long;
      return text === undefined || text === null ? [] : [{ text, description }];
    });
}
