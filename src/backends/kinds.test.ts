import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineKind, type BackendKind } from './kind.ts';
import { BACKEND_KINDS } from './kinds.ts';
import type { Limit } from './kind.ts';
import { MEMORY } from './memory/definition.ts';

type Schema = z.core.JSONSchema.BaseSchema;

/** A member with only its references to Secrets; the name of each Secret is the path of the reference. */
function withEveryReference(schema: Schema, path: string): object {
  const members = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    if (typeof child === 'boolean') return [];
    const { items } = child;
    const isList = typeof items === 'object' && !Array.isArray(items);
    const object = isList ? items : child;
    if (object.type !== 'object') return [];
    const below = `${path}.${name}`;
    const isReference = /secret\w*refs?$/i.test(name);
    const value = isReference ? { name: below } : withEveryReference(object, below);
    return [[name, isList ? [value] : value]];
  });
  return Object.fromEntries(members);
}

function namesIn(value: object): readonly string[] {
  return Object.values(value).flatMap((member: unknown) => {
    if (typeof member === 'string') return [member];
    return typeof member === 'object' && member !== null ? namesIn(member) : [];
  });
}

describe.each([...BACKEND_KINDS, MEMORY].map((kind: BackendKind) => [kind.type, kind] as const))(
  'the kind %s',
  (type, kind) => {
    it('names every Secret that its fields can refer to', () => {
      const schema = z.toJSONSchema(kind.schema, { target: 'openapi-3.0', io: 'input' });
      const member = withEveryReference(schema, type);
      expect(kind.secretReferences(member).toSorted()).toEqual(namesIn(member).toSorted());
    });

    it('describes itself in sentences', () => {
      const limits = Object.values<Limit>(kind.limits).flatMap(({ why, hint }) => [why, hint ?? why]);
      const sentences = [kind.summary, ...limits];
      expect(sentences.filter((sentence) => !/^[A-Z].*[.}]$/.test(sentence))).toEqual([]);
    });

    it('shows fields of its own member only', () => {
      const paths = kind.columns.map(({ jsonPath }) => jsonPath);
      expect(paths.filter((path) => !path.startsWith(`.spec.${type}.`))).toEqual([]);
    });
  },
);

it('finds the five references of OpenBao, so that the search above does find some', () => {
  const [, openbao] = BACKEND_KINDS;
  const schema = z.toJSONSchema(openbao.schema, { target: 'openapi-3.0', io: 'input' });
  expect(namesIn(withEveryReference(schema, 'openbao'))).toHaveLength(5);
});

it('does not compile a kind without secretReferences', () => {
  // @ts-expect-error -- secretReferences is missing: its credentials could be lost
  defineKind({ type: 'forgetful', schema: z.object({}), summary: 'Forgets.', columns: [], limits: {} });
  expect(BACKEND_KINDS.map(({ type }) => type)).toEqual(['kubernetes', 'openbao', 'directory']);
});
