import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { crdChanges, crdSetChanges } from './crd-changes.ts';

type Schema = Readonly<Record<string, unknown>>;

function aCrd(
  schema: Schema,
  { served = true, ...spec }: { served?: boolean; [field: string]: unknown } = {},
) {
  const version = { name: 'v1alpha1', served, storage: true, subresources: { status: {} } };
  const names = {
    kind: 'Thing',
    plural: 'things',
    singular: 'thing',
    shortNames: ['th'],
    categories: ['all'],
  };
  return {
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names,
      versions: [{ ...version, schema: { openAPIV3Schema: schema } }],
      ...spec,
    },
  };
}

/** A CRD with this schema at spec.a. */
function withField(field: Schema, more: Schema = {}) {
  const spec = { type: 'object', properties: { a: field }, ...more };
  return aCrd({ type: 'object', properties: { spec } });
}

const rules = (...all: string[]) => ({
  'x-kubernetes-validations': all.map((rule) => ({ rule, message: 'm' })),
});
const text = { type: 'string' };

/** Keyword by keyword: the schema before, the stricter one, and what is said of the step. The way back is additive. */
const STRICTER: Readonly<Record<string, readonly [Schema, Schema, string]>> = {
  'an enum value less': [
    { ...text, enum: ['A', 'B'] },
    { ...text, enum: ['A'] },
    'the value "B" was removed',
  ],
  'an enum': [text, { ...text, enum: ['A'] }, 'an enum was added'],
  'a pattern': [
    text,
    { ...text, pattern: '^a' },
    'pattern can refuse what was valid: it was absent and is "^a"',
  ],
  'a format': [
    text,
    { ...text, format: 'date-time' },
    'format can refuse what was valid: it was absent and is "date-time"',
  ],
  'a lower maximum': [
    { type: 'integer', maximum: 9 },
    { type: 'integer', maximum: 8 },
    'maximum is stricter: it was 9 and is 8',
  ],
  'a maximum length': [text, { ...text, maxLength: 8 }, 'maxLength is stricter: it was absent and is 8'],
  'fewer items': [
    { type: 'array', items: text, maxItems: 9 },
    { type: 'array', items: text, maxItems: 8 },
    'maxItems is stricter: it was 9 and is 8',
  ],
  'a higher minimum': [
    { type: 'integer', minimum: -1 },
    { type: 'integer', minimum: 0 },
    'minimum is stricter: it was -1 and is 0',
  ],
  'a minimum length': [text, { ...text, minLength: 1 }, 'minLength is stricter: it was absent and is 1'],
  'a required field': [
    { type: 'object', properties: { b: text } },
    { type: 'object', properties: { b: text }, required: ['b'] },
    'b became required',
  ],
  'a new required field': [
    { type: 'object', properties: {} },
    { type: 'object', properties: { b: text }, required: ['b'] },
    'b became required',
  ],
  'a rule': [text, { ...text, ...rules('self.size() > 1') }, 'a rule was added or changed: self.size() > 1'],
  immutability: [
    text,
    { ...text, ...rules('self == oldSelf') },
    'changes are refused by a new rule, self == oldSelf',
  ],
};

/** Wrong in either direction. */
const OTHER: Readonly<Record<string, readonly [Schema, Schema, string]>> = {
  'another type': [text, { type: 'integer' }, 'type was "string" and is "integer"'],
  'another default': [{ ...text, default: 'a' }, { ...text, default: 'b' }, 'default was "a" and is "b"'],
  'a default': [text, { ...text, default: 'b' }, 'default was absent and is "b"'],
  'another list type': [
    { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
    { type: 'array', items: text, 'x-kubernetes-list-type': 'atomic' },
    'x-kubernetes-list-type was "set" and is "atomic"',
  ],
};

describe('crdChanges', () => {
  it.each(Object.entries({ ...STRICTER, ...OTHER }))(
    'says that %s is not additive, and where',
    (_what, step) => {
      const [before, after, sentence] = step;
      expect(crdChanges(withField(before), withField(after))).toEqual([
        `Thing v1alpha1 spec.a: ${sentence}.`,
      ]);
      const nested = (field: Schema) =>
        withField({ type: 'array', items: { type: 'object', additionalProperties: field } });
      expect(crdChanges(nested(before), nested(after))).toEqual([`Thing v1alpha1 spec.a[].*: ${sentence}.`]);
    },
  );

  it.each(Object.entries(STRICTER))('accepts the way back from %s', (what, [before, after]) => {
    const said = crdChanges(withField(after), withField(before));
    expect(said).toEqual(
      what === 'a new required field' ? ['Thing v1alpha1 spec.a.b: the field was removed.'] : [],
    );
  });

  it('names a field that was removed, also one that was renamed', () => {
    const before = aCrd({
      type: 'object',
      properties: { status: { type: 'object', properties: { a: text, b: text } } },
    });
    const after = aCrd({
      type: 'object',
      properties: { status: { type: 'object', properties: { a: text, c: text } } },
    });
    expect(crdChanges(before, after)).toEqual(['Thing v1alpha1 status.b: the field was removed.']);
  });

  it('refuses a default of a new field of a spec, because an older operator would refuse every object', () => {
    const spec = (properties: Schema) =>
      aCrd({ type: 'object', properties: { spec: { type: 'object', properties } } });
    expect(crdChanges(spec({}), spec({ a: { ...text, default: 'x' } }))).toEqual([
      'Thing v1alpha1 spec.a: a new field of a spec must not have a default.',
    ]);
    expect(crdChanges(spec({}), spec({ a: text }))).toEqual([]);
  });

  it('names a version that is not served any more, a subresource, and names of the kind', () => {
    const before = aCrd({ type: 'object' });
    expect(crdChanges(before, aCrd({ type: 'object' }, { served: false }))).toEqual([
      'Thing: the version v1alpha1 is no longer served.',
    ]);
    const names = { kind: 'Thing', plural: 'stuff', singular: 'thing' };
    expect(crdChanges(before, aCrd({ type: 'object' }, { scope: 'Cluster', names }))).toEqual([
      'Thing: scope was Namespaced and is Cluster.',
      'Thing: plural was things and is stuff.',
      'Thing: the short name th was removed.',
      'Thing: the category all was removed.',
    ]);
    const version = { name: 'v1alpha1', served: true, schema: { openAPIV3Schema: { type: 'object' } } };
    expect(crdChanges(before, aCrd({ type: 'object' }, { versions: [version] }))).toEqual([
      'Thing v1alpha1: the subresource status was removed.',
    ]);
  });

  it('says of a set which CRD was removed, and nothing of a new one', () => {
    const crd = aCrd({ type: 'object' });
    expect(crdSetChanges([crd], [])).toEqual(['things.example.com was removed.']);
    expect(crdSetChanges([], [crd])).toEqual([]);
  });
});

const leaf: fc.Arbitrary<Schema> = fc.constantFrom(
  text,
  { type: 'integer', minimum: 0, maximum: 9 },
  { ...text, enum: ['A', 'B'], default: 'A' },
  { ...text, pattern: '^a', ...rules('self != ""') },
);
const { schema } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.record({ type: fc.constant('array'), items: tie('schema') }),
    fc
      .dictionary(fc.stringMatching(/^[a-d]$/), tie('schema'))
      .map((properties) => ({ type: 'object', properties, required: Object.keys(properties) })),
  ),
}));

/** The schema with a change in the node that the path leads to, as far as it leads. */
function changed(node: Schema, path: readonly number[], change: (node: Schema) => Schema): Schema {
  const [step, ...rest] = path;
  const child = step === undefined ? undefined : childOf(node, step);
  return child === undefined ? change(node) : child.put(changed(child.node, rest, change));
}

function childOf(node: Schema, step: number): { node: Schema; put: (child: Schema) => Schema } | undefined {
  const { properties = {}, items } = node as { properties?: Record<string, Schema>; items?: Schema };
  if (items !== undefined) return { node: items, put: (child) => ({ ...node, items: child }) };
  const entries = Object.entries(properties);
  const [name, found] = entries[step % Math.max(1, entries.length)] ?? [];
  if (name === undefined || found === undefined) return undefined;
  return { node: found, put: (child) => ({ ...node, properties: { ...properties, [name]: child } }) };
}

describe('crdChanges of any schema', () => {
  const path = fc.array(fc.nat(8), { maxLength: 4 });

  it('has nothing to say of the same one, or of one more optional field anywhere', () => {
    fc.assert(
      fc.property(schema, path, (before, where) => {
        const optional = (node: Schema): Schema =>
          node['type'] === 'object'
            ? { ...node, properties: { ...Object(node['properties']), fresh: text } }
            : { ...node, description: 'new' };
        expect(crdChanges(withField(before), withField(before))).toEqual([]);
        expect(crdChanges(withField(before), withField(changed(before, where, optional)))).toEqual([]);
      }),
    );
  });

  it('notices each stricter keyword, wherever it is', () => {
    const stricter: Schema[] = [
      { not: {} },
      rules('self == oldSelf'),
      { multipleOf: 7 },
      { maxProperties: 1, maxItems: 1, maxLength: 1 },
      { type: 'boolean' },
    ];
    fc.assert(
      fc.property(schema, path, fc.constantFrom(...stricter), (before, where, addition) => {
        const after = changed(before, where, (node) => ({ ...node, ...addition }));
        expect(crdChanges(withField(before), withField(after))).not.toEqual([]);
      }),
    );
  });
});

describe('the CRDs of this checkout', () => {
  const root = join(import.meta.dirname, '..', '..');
  const crds = globSync('crds/*.yaml', { cwd: root }).map((file) =>
    load(readFileSync(join(root, file), 'utf8')),
  );

  it('are additive to themselves, and not without one of their fields', () => {
    expect(crds).toHaveLength(4);
    expect(crdSetChanges(crds, crds)).toEqual([]);
    const cut: unknown[] = crds.map((crd) =>
      JSON.parse(JSON.stringify(crd).replaceAll('"soakSeconds":{', '"soak":{')),
    );
    expect(crdSetChanges(crds, cut)).toContain(
      'SecretMigration v1alpha1 spec.soakSeconds: the field was removed.',
    );
  });
});
