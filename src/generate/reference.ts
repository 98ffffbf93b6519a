import { API_VERSION, CATEGORY, KINDS } from '#src/api/group.ts';
import { structuralSchemaOf } from './crd.ts';
import type { KindDefinition } from './kind-definitions.ts';
import type { StructuralSchema } from './structural.ts';
import {
  CONDITION_REASONS,
  CONDITION_TYPES,
  EVENT_REASONS,
  LEFT_OUT_REASONS,
  ROW_REASONS,
  ROW_STATE_MEANINGS,
} from '#src/api/v1alpha1/conditions.ts';
import { CAPABILITIES } from '#src/backends/capabilities.ts';

const NOTICE =
  '<!-- Generated from src/api and src/backends by `node src/generate/generate.ts`; do not edit. -->';

/** The API reference of one kind as Markdown: columns, every field with its limits, every rule. */
export function referenceOf(definition: KindDefinition): string {
  const { kind } = definition;
  const { plural, shortName, namespaced } = KINDS[kind];
  const schema = structuralSchemaOf(definition);
  const sections = [
    NOTICE,
    `# ${kind}`,
    schema.description ?? '',
    `\`${API_VERSION}\`, ${namespaced ? 'namespaced' : 'cluster-scoped'}. \`kubectl get ${plural}\`, short \`${shortName}\`, category \`${CATEGORY}\`.` +
      (definition.maxNameLength === undefined
        ? ''
        : ` The name can have at most ${definition.maxNameLength} characters.`),
    '## Columns',
    table(
      ['column', 'shows', 'from'],
      definition.columns.map((column) => [
        column.name.toUpperCase() + (column.wide === true ? ' (`-o wide`)' : ''),
        column.description,
        `\`${column.jsonPath}\``,
      ]),
    ),
  ];
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    if (['apiVersion', 'kind', 'metadata'].includes(name)) continue;
    const fields = fieldsOf(part, name);
    sections.push(`## ${name}`, part.description ?? '', table(['field', 'type', 'meaning'], fields.rows));
    if (fields.rules.length > 0)
      sections.push('The apiserver also enforces these rules:', table(['at', 'message'], fields.rules));
  }
  return `${sections.join('\n\n')}\n`;
}

/** The closed lists behind conditions, rows and capabilities as Markdown. */
export function vocabularyReference(): string {
  return `${[
    NOTICE,
    '# Status vocabulary',
    '## Types of conditions',
    glossary('type', CONDITION_TYPES),
    '## Reasons of conditions',
    'The column STATUS shows the reason of `Ready`.',
    glossary('reason', CONDITION_REASONS),
    '## Reasons of events',
    'Other events have the reason of the condition that changed.',
    glossary('reason', EVENT_REASONS),
    '## States of a row',
    glossary('state', ROW_STATE_MEANINGS),
    '## Reasons of a row',
    glossary('reason', ROW_REASONS),
    '## Reasons of documents without a row',
    '`status.inventory.leftOut` counts them. They do not keep a migration from being `Completed`.',
    glossary('reason', LEFT_OUT_REASONS),
    '## Capabilities of a backend',
    'The operator finds them by asking the server, never from its version number.',
    glossary('capability', CAPABILITIES),
  ].join('\n\n')}\n`;
}

interface Fields {
  readonly rows: readonly (readonly string[])[];
  readonly rules: readonly (readonly string[])[];
}

function fieldsOf(schema: StructuralSchema, path: string): Fields {
  const rows: (readonly string[])[] = [];
  const rules: (readonly string[])[] = rulesOf(schema, path);
  const required = new Set(schema.required);
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const childPath = `${path}.${name}`;
    rows.push([
      `\`${childPath}\`${required.has(name) ? ' (required)' : ''}`,
      typeOf(child),
      meaningOf(child),
    ]);
    const below = fieldsOf(child, childPath);
    rows.push(...below.rows);
    rules.push(...below.rules);
  }
  if (schema.items !== undefined) {
    const below = fieldsOf(schema.items, `${path}[]`);
    rows.push(...below.rows);
    rules.push(...below.rules);
  }
  return { rows, rules };
}

function rulesOf(schema: StructuralSchema, path: string): string[][] {
  return (schema['x-kubernetes-validations'] ?? []).map(({ message }) => [`\`${path}\``, message]);
}

function typeOf(schema: StructuralSchema): string {
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(' or ');
  return schema.type;
}

function meaningOf(schema: StructuralSchema): string {
  const sentences = [schema.description ?? ''];
  // Those of texts and numbers are in the description.
  if (typeof schema.default === 'object') sentences.push(`Default: \`${JSON.stringify(schema.default)}\`.`);
  const bounds = boundsOf(schema);
  if (bounds !== undefined) sentences.push(bounds);
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

function boundsOf(schema: StructuralSchema): string | undefined {
  const { minimum, maximum, maxLength, maxItems } = schema;
  if (maxItems !== undefined) return `At most ${maxItems} entries.`;
  if (maxLength !== undefined) return `At most ${maxLength} characters.`;
  if (minimum !== undefined && maximum !== undefined && maximum < 2 ** 31 - 1) {
    return `${minimum} to ${maximum}.`;
  }
  return undefined;
}

function glossary(title: string, entries: Readonly<Record<string, string>>): string {
  return table(
    [title, 'meaning'],
    Object.entries(entries).map(([name, meaning]) => [`\`${name}\``, meaning]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
