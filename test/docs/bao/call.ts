import { readFileSync } from 'node:fs';
import { Refusal, type Api, type Entries } from './api.ts';
import { field } from './print.ts';

/** One call, after its command. */
export interface Call {
  readonly api: Api;
  readonly words: readonly string[];
  flag(name: string): string | undefined;
  /** Every value of a flag that may be repeated. */
  flagsOf(name: string): readonly string[];
  stdin(): string;
}

export interface Command {
  /** Besides -format and -field. */
  readonly flags: readonly string[];
  /** Returns what it prints; throws a Refusal. */
  run(call: Call): Promise<string>;
}

/** `key=value`, `key=@file`, `key=-`, a JSON object as `@file` or `-`; a key that comes twice is a list. */
export function dataOf(call: Call, words: readonly string[]): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const word of words) {
    if (word === '-' || word.startsWith('@')) {
      Object.assign(data, JSON.parse(textOf(call, word)));
      continue;
    }
    const [key = '', ...rest] = word.split('=');
    const text = textOf(call, rest.join('='));
    data[key] = key in data ? [data[key], text].flat() : text;
  }
  return data;
}

function textOf(call: Call, value: string): string {
  if (value === '-') return call.stdin();
  return value.startsWith('@') ? readFileSync(value.slice(1), 'utf8') : value;
}

/** The data as `-field`, `-format=json` or the default ask for; a field is one of `fields`. */
export function output(call: Call, data: Entries, print: () => string, fields = data): string {
  const name = call.flag('field');
  if (name !== undefined) {
    const value = field(fields, name);
    if (value === undefined) throw new Refusal(`Field "${name}" not present in secret`);
    return value;
  }
  // The rest of a reply is about the request; pages use `.data`.
  return call.flag('format') === 'json' ? `${JSON.stringify({ data }, undefined, 2)}\n` : print();
}
