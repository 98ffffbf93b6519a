import { z } from 'zod';

/*
 * What a new CustomResourceDefinition takes away from users of an old one. Objects that are stored were accepted by the old
 * one, clients were written against it, and an older operator works with the new one while both run.
 */

const NodeSchema = z.looseObject({
  type: z.string().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  additionalProperties: z.unknown().optional(),
  items: z.unknown().optional(),
  required: z.array(z.string()).optional(),
  enum: z.array(z.unknown()).optional(),
  'x-kubernetes-validations': z.array(z.looseObject({ rule: z.string() })).optional(),
});
type Node = z.infer<typeof NodeSchema>;

const CrdSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    group: z.string(),
    scope: z.string(),
    names: z.object({
      kind: z.string(),
      plural: z.string(),
      singular: z.string().optional(),
      shortNames: z.array(z.string()).default([]),
      categories: z.array(z.string()).default([]),
    }),
    versions: z.array(
      z.object({
        name: z.string(),
        served: z.boolean(),
        subresources: z.record(z.string(), z.unknown()).default({}),
        schema: z.object({ openAPIV3Schema: z.unknown() }),
      }),
    ),
  }),
});
type Crd = z.infer<typeof CrdSchema>;

/** Keywords whose number may only rise, and those whose number may only fall. A new one is always stricter. */
const CEILINGS = ['maximum', 'maxLength', 'maxItems', 'maxProperties'];
const FLOORS = ['minimum', 'minLength', 'minItems', 'minProperties'];
/** Keywords that are stricter than their absence, and than any other value. */
const FILTERS = [
  'pattern',
  'format',
  'multipleOf',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'uniqueItems',
  'not',
];
/** Keywords that allow more than their absence. */
const ALLOWANCES = ['nullable', 'x-kubernetes-preserve-unknown-fields', 'x-kubernetes-int-or-string'];
/** Keywords that must stay: they say how values are merged, or what an absent one means. */
const FIXED = [
  'type',
  'default',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-embedded-resource',
];

/**
 * One sentence for each change that is not additive; empty if every object, client and operator that works with `before`
 * works with `after`. Throws a ZodError if one of them is not a CustomResourceDefinition.
 */
export function crdChanges(before: unknown, after: unknown): readonly string[] {
  const old = CrdSchema.parse(before);
  const now = CrdSchema.parse(after);
  return [...nameChanges(old, now), ...versionChanges(old, now)].map(
    (change) => `${old.spec.names.kind}${change}.`,
  );
}

/** The same for all CRDs of a release. */
export function crdSetChanges(before: readonly unknown[], after: readonly unknown[]): readonly string[] {
  const now = new Map(after.map((crd) => [CrdSchema.parse(crd).metadata.name, crd]));
  return before.flatMap((crd) => {
    const { name } = CrdSchema.parse(crd).metadata;
    const successor = now.get(name);
    return successor === undefined ? [`${name} was removed.`] : crdChanges(crd, successor);
  });
}

function nameChanges(old: Crd, now: Crd): readonly string[] {
  const fixed = {
    group: [old.spec.group, now.spec.group],
    scope: [old.spec.scope, now.spec.scope],
    kind: [old.spec.names.kind, now.spec.names.kind],
    plural: [old.spec.names.plural, now.spec.names.plural],
    singular: [old.spec.names.singular, now.spec.names.singular],
  };
  const changed = Object.entries(fixed).flatMap(([what, [from, to]]) =>
    from === to ? [] : [`: ${what} was ${from} and is ${to}`],
  );
  const lists = {
    'short name': [old.spec.names.shortNames, now.spec.names.shortNames],
    category: [old.spec.names.categories, now.spec.names.categories],
  } as const;
  const removed = Object.entries(lists).flatMap(([what, [from, to]]) =>
    from.filter((name) => !to.includes(name)).map((name) => `: the ${what} ${name} was removed`),
  );
  return [...changed, ...removed];
}

function versionChanges(old: Crd, now: Crd): readonly string[] {
  return old.spec.versions
    .filter(({ served }) => served)
    .flatMap((version) => {
      const { name } = version;
      const successor = now.spec.versions.find((candidate) => candidate.name === name && candidate.served);
      if (successor === undefined) return [`: the version ${name} is no longer served`];
      const subresources = Object.keys(version.subresources)
        .filter((subresource) => !Object.hasOwn(successor.subresources, subresource))
        .map((subresource) => ` ${name}: the subresource ${subresource} was removed`);
      const [from, to] = [version, successor].map(({ schema }) => NodeSchema.parse(schema.openAPIV3Schema));
      return from === undefined || to === undefined
        ? subresources
        : [...subresources, ...nodeChanges(from, to, '').map((change) => ` ${name}${change}`)];
    });
}

/** `path` begins with a dot; empty for the whole object. */
function nodeChanges(old: Node, now: Node, path: string): readonly string[] {
  const own = [
    ...fixedChanges(old, now),
    ...boundChanges(old, now),
    ...filterChanges(old, now),
    ...enumChanges(old, now),
    ...requiredChanges(old, now),
    ...ruleChanges(old, now),
  ].map((change) => `${path === '' ? '' : ` ${path.slice(1)}`}: ${change}`);
  return [...own, ...childChanges(old, now, path)];
}

function fixedChanges(old: Node, now: Node): readonly string[] {
  const fixed = FIXED.filter((keyword) => !isEqual(old[keyword], now[keyword])).map(
    (keyword) => `${keyword} was ${said(old[keyword])} and is ${said(now[keyword])}`,
  );
  const allowances = ALLOWANCES.filter((keyword) => old[keyword] === true && now[keyword] !== true);
  return [...fixed, ...allowances.map((keyword) => `${keyword} was removed`)];
}

function boundChanges(old: Node, now: Node): readonly string[] {
  const isStricter = (keyword: string, sign: 1 | -1): boolean => {
    const [from, to] = [old[keyword], now[keyword]];
    return typeof to === 'number' && (typeof from !== 'number' || sign * to < sign * from);
  };
  return [
    ...CEILINGS.filter((keyword) => isStricter(keyword, 1)),
    ...FLOORS.filter((keyword) => isStricter(keyword, -1)),
  ].map((keyword) => `${keyword} is stricter: it was ${said(old[keyword])} and is ${said(now[keyword])}`);
}

function filterChanges(old: Node, now: Node): readonly string[] {
  return FILTERS.filter((keyword) => now[keyword] !== undefined && now[keyword] !== false)
    .filter((keyword) => !isEqual(old[keyword], now[keyword]))
    .map(
      (keyword) =>
        `${keyword} can refuse what was valid: it was ${said(old[keyword])} and is ${said(now[keyword])}`,
    );
}

function enumChanges(old: Node, now: Node): readonly string[] {
  if (now.enum === undefined) return [];
  if (old.enum === undefined) return ['an enum was added'];
  const removed = old.enum.filter((value) => now.enum?.some((other) => isEqual(value, other)) !== true);
  return removed.map((value) => `the value ${said(value)} was removed`);
}

function requiredChanges({ required: old = [] }: Node, { required: now = [] }: Node): readonly string[] {
  return now.filter((name) => !old.includes(name)).map((name) => `${name} became required`);
}

function ruleChanges(old: Node, now: Node): readonly string[] {
  const rulesOf = ({ 'x-kubernetes-validations': rules = [] }: Node): readonly string[] =>
    rules.map(({ rule }) => rule);
  const before = rulesOf(old);
  return rulesOf(now)
    .filter((rule) => !before.includes(rule))
    .map((rule) =>
      rule.includes('oldSelf')
        ? `changes are refused by a new rule, ${rule}`
        : `a rule was added or changed: ${rule}`,
    );
}

function childChanges(old: Node, now: Node, path: string): readonly string[] {
  const { properties: before = {} } = old;
  const { properties: after = {} } = now;
  const changed = Object.entries(before).flatMap(([name, child]) => {
    const place = `${path}.${name}`;
    if (Object.hasOwn(after, name)) return descend(child, after[name], place);
    const isOpen =
      now['x-kubernetes-preserve-unknown-fields'] === true || now.additionalProperties !== undefined;
    return isOpen ? [] : [` ${place.slice(1)}: the field was removed`];
  });
  // An older operator refuses a spec with a field that it does not know, and a default puts it into every object.
  const defaulted = path.startsWith('.spec')
    ? Object.entries(after)
        .filter(([name, child]) => !Object.hasOwn(before, name) && hasDefault(child))
        .map(([name]) => ` ${path.slice(1)}.${name}: a new field of a spec must not have a default`)
    : [];
  return [
    ...changed,
    ...defaulted,
    ...descend(old.items, now.items, `${path}[]`),
    ...descend(old.additionalProperties, now.additionalProperties, `${path}.*`),
  ];
}

function descend(old: unknown, now: unknown, path: string): readonly string[] {
  if (old === undefined || old === true)
    return isObject(now) && old === true ? [` ${path.slice(1)}: a schema was added`] : [];
  if (now === undefined || now === false) return [` ${path.slice(1)}: the values were removed`];
  if (!isObject(old) || !isObject(now)) return [];
  return nodeChanges(NodeSchema.parse(old), NodeSchema.parse(now), path);
}

function hasDefault(node: unknown): boolean {
  return isObject(node) && Object.hasOwn(node, 'default');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isEqual(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function said(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}
