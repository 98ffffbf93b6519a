import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { z } from 'zod';
import { GROUP, KINDS, type Kind } from '#src/api/group.ts';
import type { StructuralSchema } from '#src/generate/structural.ts';

/*
 * What the API server checks of an object with the generated CRD: unlike zod, it counts characters by code point, and it
 * gets text as UTF-8, in which a lone surrogate is another character.
 */

const isSchema = (value: unknown): value is StructuralSchema =>
  typeof value === 'object' && value !== null && 'type' in value;
const CrdSchema = z.object({
  spec: z.object({
    versions: z.array(
      z.object({ schema: z.object({ openAPIV3Schema: z.custom<StructuralSchema>(isSchema) }) }),
    ),
  }),
});

/** The schema of a kind, as in crds/. */
export function schemaOf(kind: Kind): StructuralSchema {
  const file = join(import.meta.dirname, `../../crds/${GROUP}_${KINDS[kind].plural}.yaml`);
  const [version] = CrdSchema.parse(load(readFileSync(file, 'utf8'))).spec.versions;
  if (version === undefined) throw new Error(`no version in ${file}`);
  return version.schema.openAPIV3Schema;
}

/** The problems of the value, each with its path; also where the server would store other text than it was sent. */
export function problemsOf(schema: StructuralSchema, value: unknown, path = ''): readonly string[] {
  if (Array.isArray(value) && schema.type === 'array') return problemsOfItems(schema, value, path);
  if (typeof value === 'object' && value !== null) return problemsOfMembers(schema, value, path);
  if (typeof value === 'string' && schema.type === 'string') return problemsOfText(schema, value, path);
  if (typeof value === 'number') return problemsOfNumber(schema, value, path);
  return typeof value === schema.type ? [] : [`${path}: not of type ${schema.type}`];
}

function problemsOfNumber(schema: StructuralSchema, value: number, path: string): readonly string[] {
  const { minimum = -Infinity, maximum = Infinity, type } = schema;
  const isFine = type === 'integer' && Number.isSafeInteger(value) && value >= minimum && value <= maximum;
  return isFine ? [] : [`${path}: not an integer in range`];
}

function problemsOfItems(
  schema: StructuralSchema,
  values: readonly unknown[],
  path: string,
): readonly string[] {
  const { items, maxItems = Infinity } = schema;
  if (items === undefined || values.length > maxItems) return [`${path}: more than ${maxItems} items`];
  return values.flatMap((item, index) => problemsOf(items, item, `${path}[${index}]`));
}

function problemsOfMembers(schema: StructuralSchema, value: object, path: string): readonly string[] {
  const members = Object.entries(value).filter(([, child]) => child !== undefined);
  const missing = (schema.required ?? []).filter((name) => !members.some(([member]) => member === name));
  const faults = members.flatMap(([member, child]) => {
    const known = schema.properties?.[member];
    return known === undefined
      ? [`${path}.${member}: unknown`]
      : problemsOf(known, child, `${path}.${member}`);
  });
  return [...missing.map((member) => `${path}.${member}: missing`), ...faults];
}

function problemsOfText(schema: StructuralSchema, text: string, path: string): readonly string[] {
  const length = Array.from(text).length;
  const faults = [
    text.isWellFormed() ? '' : 'not Unicode',
    length > (schema.maxLength ?? Infinity) ? `longer than ${schema.maxLength}` : '',
    length < (schema.minLength ?? 0) ? `shorter than ${schema.minLength}` : '',
    schema.pattern === undefined || new RegExp(schema.pattern, 'u').test(text)
      ? ''
      : 'does not match the pattern',
    schema.enum === undefined || schema.enum.includes(text) ? '' : 'not in the list',
  ];
  return faults.filter((fault) => fault !== '').map((fault) => `${path}: ${fault}`);
}
