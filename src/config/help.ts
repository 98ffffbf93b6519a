import { SETTINGS } from './schema.ts';
import type { Setting } from './schema.ts';

const WIDTH = 100;
const INDENT = ' '.repeat(6);

/** Output of `keyferry operator --help`: usage, and every setting with its description, variable and default. */
export function helpText(): string {
  return [
    'Usage: keyferry operator [flags]',
    '',
    'Moves secret values between Kubernetes, OpenBao and directories, as SecretMigrations specify.',
    '',
    'Flags (each is also an environment variable; the flag takes precedence):',
    ...SETTINGS.flatMap(entryOf),
    '',
  ].join('\n');
}

function entryOf(setting: Setting): readonly string[] {
  const fallback = setting.default === undefined ? '' : `, default ${setting.default}`;
  return [
    `  --${setting.flag}${setting.isSwitch ? '[=true|false]' : ' <value>'}`,
    ...wrap(setting.description).map((line) => `${INDENT}${line}`),
    `${INDENT}(${setting.env}${fallback})`,
  ];
}

function wrap(sentence: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of sentence.split(' ')) {
    if (line !== '' && INDENT.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}
