import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toStructural } from './structural.ts';
import type { StructuralSchema } from './structural.ts';

function rewrite(schema: z.ZodType) {
  return toStructural(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }));
}

describe('the description of a field', () => {
  it('says the default of a text, number or boolean in the description, because kubectl explain shows only that', () => {
    const schema = z.object({
      mode: z.enum(['A', 'B']).default('A').describe('A mode.'),
      limit: z.int().min(1).max(9).default(3).describe('A limit.'),
      on: z.boolean().default(false).describe('A switch.'),
      prefix: z.string().max(3).default('').describe('A prefix.'),
      names: z.array(z.string().describe('One name.')).default([]).describe('Names. Default: none.'),
    });
    const { properties = {} } = rewrite(schema);
    expect(Object.values(properties).map(({ description }) => description)).toEqual([
      'A mode. Default: A.',
      'A limit. Default: 3.',
      'A switch. Default: false.',
      'A prefix. Default: empty.',
      'Names. Default: none.',
    ]);
  });
});

describe('toStructural', () => {
  it('keeps types, bounds, enums, defaults and descriptions', () => {
    const schema = z.object({
      name: z.string().min(1).max(9).regex(/^a+$/).describe('A name.'),
      mode: z.enum(['A', 'B']).default('A'),
      tags: z.array(z.string()).max(3).meta({ 'x-kubernetes-list-type': 'set' }).optional(),
    });
    expect(rewrite(schema)).toEqual({
      type: 'object',
      required: ['name'],
      properties: {
        name: { description: 'A name.', type: 'string', minLength: 1, maxLength: 9, pattern: '^a+$' },
        mode: { type: 'string', enum: ['A', 'B'], default: 'A' },
        tags: { type: 'array', maxItems: 3, items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
      },
    });
  });

  it('gives an integer a format instead of the bounds of a double', () => {
    expect(rewrite(z.int())).toEqual({ type: 'integer', format: 'int64' });
    expect(rewrite(z.int().min(0))).toEqual({ type: 'integer', format: 'int64', minimum: 0 });
    expect(rewrite(z.int().min(1).max(300))).toEqual({
      type: 'integer',
      format: 'int32',
      minimum: 1,
      maximum: 300,
    });
  });

  it('drops the additionalProperties of a strict object, and keeps those of a map', () => {
    expect(rewrite(z.strictObject({ a: z.string() }))).toEqual({
      type: 'object',
      required: ['a'],
      properties: { a: { type: 'string' } },
    });
    expect(rewrite(z.record(z.string(), z.boolean()))).toEqual({
      type: 'object',
      additionalProperties: { type: 'boolean' },
    });
  });

  it('writes a pattern without escapes that only JavaScript needs', () => {
    expect(rewrite(z.string().regex(/^a\/b\.c$/)).pattern).toBe(String.raw`^a/b\.c$`);
  });

  it('drops decoration that a CRD does not allow', () => {
    expect(
      rewrite(
        z
          .string()
          .readonly()
          .meta({ examples: ['a'], deprecated: true }),
      ),
    ).toEqual({
      type: 'string',
    });
  });

  it.each([
    ['a union', z.union([z.string(), z.int()]), 'a union is not structural'],
    ['a union of objects', z.object({ a: z.union([z.object({}), z.object({})]) }), '$.a: a union'],
    [
      'an intersection of strings',
      z.intersection(z.string().max(3), z.string().min(1)),
      'an intersection is not',
    ],
    ['two patterns', z.string().regex(/a/).regex(/b/), 'use one pattern'],
    ['null', z.string().nullable(), 'make the field optional'],
    ['never', z.object({ a: z.never() }), '$.a: never is not structural'],
    ['anything', z.object({ a: z.unknown() }), '$.a: a schema without a type'],
    ['an id', z.object({ a: z.string().meta({ id: 'shared' }) }), 'references are not structural'],
    ['a look-ahead', z.object({ a: z.array(z.string().regex(/^(?!x)/)) }), '$.a[]: the pattern is not RE2'],
    ['a look-behind', z.string().regex(/(?<=x)a/), 'the pattern is not RE2'],
    ['a back-reference', z.string().regex(/(a)\1/), 'the pattern is not RE2'],
    ['a strict object that is a map as well', z.object({ a: z.string() }).catchall(z.string()), 'exclude'],
    ['an object that is open to anything', z.looseObject({ a: z.string() }), 'exclude each other'],
    ['an unknown keyword', z.string().meta({ surprise: 1 }), 'the keyword surprise'],
  ])('refuses %s and names the path', (_what, schema, message) => {
    expect(() => rewrite(schema)).toThrow(message);
  });

  it('does not mistake an escaped backslash before a digit for a back-reference', () => {
    expect(rewrite(z.string().regex(/^\\1$/)).pattern).toBe(String.raw`^\\1$`);
  });
});

/** Schemas of every shape that the API uses, nested at random. */
const { schema: anySchema } = fc.letrec<{ schema: z.ZodType; leaf: z.ZodType }>((tie) => ({
  schema: fc.oneof(
    { depthSize: 'small' },
    tie('leaf'),
    tie('schema').map((item) => z.array(item).max(5)),
    tie('schema').map((value) => z.record(z.string(), value)),
    tie('schema').map((inner) => inner.optional()),
    fc
      .dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie('schema'), { maxKeys: 4 })
      .chain((shape) => fc.constantFrom(z.object(shape), z.strictObject(shape))),
  ),
  leaf: fc.oneof(
    fc.nat(99).map((max) => z.string().max(max)),
    fc.tuple(fc.nat(9), fc.nat(9)).map(([low, more]) =>
      z
        .int()
        .min(low)
        .max(low + more),
    ),
    fc.constant(z.boolean().default(false)),
    fc.constant(z.enum(['a', 'b']).describe('One of two.')),
    fc.constant(z.number().min(0)),
  ),
}));

/** The rules of the apiserver for a structural schema, written independently. */
function expectStructural(node: StructuralSchema): void {
  const schema: Readonly<Record<string, unknown>> = { ...node };
  expect(['object', 'array', 'string', 'integer', 'number', 'boolean']).toContain(schema['type']);
  for (const keyword of ['anyOf', 'oneOf', 'allOf', 'not', 'nullable', '$ref', 'uniqueItems', '$schema']) {
    expect(schema).not.toHaveProperty([keyword]);
  }
  expect('properties' in schema && 'additionalProperties' in schema).toBe(false);
  expect('items' in schema).toBe(schema['type'] === 'array');
  if (node.items !== undefined) expectStructural(node.items);
  if (node.additionalProperties !== undefined) expectStructural(node.additionalProperties);
  for (const child of Object.values(node.properties ?? {})) expectStructural(child);
}

describe('toStructural, for any schema of the supported shapes', () => {
  it('returns a schema that the apiserver accepts', () => {
    fc.assert(fc.property(anySchema, (schema) => expectStructural(rewrite(schema))));
  });

  it('does not change its own result', () => {
    fc.assert(
      fc.property(anySchema, (schema) => {
        const once = rewrite(schema);
        expect(toStructural(once)).toEqual(once);
      }),
    );
  });

  it('finds a union at any depth', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('object', 'array', 'map'), { maxLength: 6 }), (nesting) => {
        let schema: z.ZodType = z.union([z.string(), z.int()]);
        for (const kind of nesting) {
          if (kind === 'object') schema = z.object({ f: schema });
          else schema = kind === 'array' ? z.array(schema) : z.record(z.string(), schema);
        }
        expect(() => rewrite(schema)).toThrow('a union is not structural');
      }),
    );
  });
});
