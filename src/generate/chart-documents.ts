import { dump } from 'js-yaml';
import type { JsonSchema } from './chart-flags.ts';

const WIDTH = 110;
const NOTICE =
  'Generated from src/generate/chart-values.ts and src/config/schema.ts by `node src/generate/generate.ts`.';

/** values.yaml: every value with its default, below its description. */
export function valuesYaml(schema: JsonSchema): string {
  return `# ${NOTICE}\n\n${Object.entries(schema.properties ?? {})
    .map(([name, child]) => entryOf(name, child, ''))
    .join('\n')}`;
}

function entryOf(name: string, schema: JsonSchema, indent: string): string {
  const comment = wrap(schema.description ?? '', WIDTH - indent.length - 2)
    .map((line) => `${indent}# ${line}\n`)
    .join('');
  if (name === 'operator') return `${comment}operator: {}\n${flagComments(schema)}`;
  if (!isGroup(schema))
    return `${comment}${indented(dump({ [name]: schema.default }, { lineWidth: -1 }), indent)}`;
  const children = Object.entries(schema.properties ?? {}).map(([child, part]) =>
    entryOf(child, part, `${indent}  `),
  );
  return `${comment}${indent}${name}:\n${children.join('')}`;
}

/** A group of values of our own, not a part of a manifest. */
function isGroup(schema: JsonSchema): boolean {
  return Object.keys(schema.properties ?? {}).length > 0;
}

function flagComments(schema: JsonSchema): string {
  return Object.entries(schema.properties ?? {})
    .map(([name, { type, enum: words }]) => {
      const value = Array.isArray(words) ? words.join(' | ') : `<${String(type)}>`;
      return `#   ${name}: ${value}\n`;
    })
    .join('');
}

function indented(yaml: string, indent: string): string {
  return yaml.replaceAll(/^(?=.)/gm, indent);
}

function wrap(sentence: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of sentence.split(' ').filter(Boolean)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** README.md of the chart: how to use it, and a table of all values. */
export function chartReadme(schema: JsonSchema, introduction: string): string {
  const rows = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => rowsOf(name, child));
  const table = ['| value | default | |', '| --- | --- | --- |', ...rows].join('\n');
  return `<!-- ${NOTICE} -->\n\n${introduction}\n## Values\n\n${table}\n`;
}

function rowsOf(path: string, schema: JsonSchema): readonly string[] {
  const fallback = schema.default === undefined ? '' : `\`${JSON.stringify(schema.default)}\``;
  const own = `| \`${path}\` | ${isGroup(schema) ? '' : fallback} | ${(schema.description ?? '').replaceAll('|', '\\|')} |`;
  if (!isGroup(schema)) return [own];
  return [
    own,
    ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => rowsOf(`${path}.${name}`, child)),
  ];
}
