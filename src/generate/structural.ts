/**
 * Converts JSON Schema, as zod writes it for `openapi-3.0`, to the structural schema of a CustomResourceDefinition.
 *
 * The apiserver accepts less than OpenAPI: every node has exactly one type, except below anyOf, oneOf, allOf
 * and not; patterns are RE2, and `additionalProperties` excludes `properties` (kubernetes.io, "Specifying a
 * structural schema"; KEP-2335). Keywords with a structural equivalent are rewritten, decoration is dropped, and any
 * other keyword is an error that names the path, so that a schema that cannot be served never reaches crds/.
 */

export interface StructuralSchema {
  readonly description?: string;
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly Validation[];
}

export interface Validation {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression?: string;
}

type Node = Readonly<Record<string, unknown>>;

const TYPES: ReadonlySet<unknown> = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean']);

/** Copied as they are, in this order: it is the order of the YAML. */
const COPIED = [
  'enum',
  'default',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
] as const;

/** Handled one by one below. */
const HANDLED = ['description', 'type', 'format', 'properties', 'additionalProperties', 'items'] as const;

/** Not in JSONSchemaProps, and not used in validation. */
const DECORATION = ['$schema', 'id', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'contentEncoding'];

/** Keywords that are refused, and what to use instead. */
const REFUSED: Readonly<Record<string, string>> = {
  anyOf: 'a union is not structural: use one object with optional members and a rule',
  oneOf: 'a union is not structural: use one object with optional members and a rule',
  allOf: 'an intersection is not structural: extend the object, or use one pattern',
  not: 'never is not structural: leave the field out',
  nullable: 'null is not a Kubernetes convention: make the field optional',
  $ref: 'references are not structural: no meta id, no recursion',
  definitions: 'references are not structural: no meta id, no recursion',
  uniqueItems: 'uniqueItems is forbidden: set x-kubernetes-list-type to set',
};

const KNOWN: ReadonlySet<string> = new Set([...COPIED, ...HANDLED, ...DECORATION]);

/** Rewrites `schema`. Throws an Error that names the path of the first thing that cannot be expressed. */
export function toStructural(schema: unknown, path = '$'): StructuralSchema {
  const node = nodeOf(schema, path);
  refuseUnknown(node, path);
  const { type } = node;
  if (!isType(type)) throw notStructural(path, 'a schema without a type accepts any value: set a type');
  const output: Record<string, unknown> = {};
  const description = descriptionOf(node);
  if (description !== undefined) output['description'] = description;
  output['type'] = type;
  const bounds = type === 'integer' ? integerBounds(node) : node;
  if (bounds['format'] !== undefined) output['format'] = bounds['format'];
  for (const keyword of COPIED) {
    if (bounds[keyword] !== undefined) output[keyword] = bounds[keyword];
  }
  if (node['pattern'] !== undefined) output['pattern'] = re2(node['pattern'], path);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each keyword was checked or comes from zod's own writer
  return Object.assign(output, children(node, path)) as unknown as StructuralSchema;
}

/** With the default of a field: `kubectl explain` does not show it otherwise. */
function descriptionOf(node: Node): string | undefined {
  const { description, default: value } = node;
  if (typeof description !== 'string') return undefined;
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
    return description;
  return `${description} Default: ${value === '' ? 'empty' : value}.`;
}

function children(node: Node, path: string): Record<string, unknown> {
  const { properties, additionalProperties, items } = node;
  if (node['type'] === 'array') {
    if (items === undefined) throw notStructural(path, 'an array needs a schema for its items');
    return { items: toStructural(items, `${path}[]`) };
  }
  if (properties !== undefined) {
    const entries = Object.entries(nodeOf(properties, path));
    // zod writes `false` here for strict objects; the apiserver prunes or refuses unknown fields itself.
    if (isNode(additionalProperties)) {
      throw notStructural(path, 'properties and additionalProperties exclude each other');
    }
    if (entries.length === 0) return {};
    return { properties: mapEntries(entries, (name, child) => toStructural(child, `${path}.${name}`)) };
  }
  if (isNode(additionalProperties)) {
    return { additionalProperties: toStructural(additionalProperties, `${path}.*`) };
  }
  return {};
}

/** zod writes the bounds of a double for every integer; Kubernetes uses a format instead. */
function integerBounds(node: Node): Node {
  const { minimum, maximum, ...rest } = node;
  const lowest = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const highest = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  const isShort =
    typeof lowest === 'number' &&
    typeof highest === 'number' &&
    lowest >= -(2 ** 31) &&
    highest <= 2 ** 31 - 1;
  return { ...rest, minimum: lowest, maximum: highest, format: isShort ? 'int32' : 'int64' };
}

/** The apiserver compiles patterns with RE2, which has neither look-around nor back-references. */
function re2(pattern: unknown, path: string): string {
  if (typeof pattern !== 'string') throw notStructural(path, 'a pattern must be a string');
  // An escaped backslash does not start an escape: remove the pairs before the search.
  const bare = pattern.replaceAll('\\\\', '');
  if (/\(\?(?!:)/.test(bare) || /\\[1-9k]/.test(bare)) {
    throw notStructural(path, 'the pattern is not RE2: no look-around, no named groups, no back-references');
  }
  return pattern.replaceAll(String.raw`\/`, '/');
}

function refuseUnknown(node: Node, path: string): void {
  for (const keyword of Object.keys(node)) {
    const advice = REFUSED[keyword];
    if (advice !== undefined) throw notStructural(path, advice);
    if (!KNOWN.has(keyword)) throw notStructural(path, `the keyword ${keyword} is not allowed in a CRD`);
  }
}

function mapEntries<T>(
  entries: readonly (readonly [string, unknown])[],
  transform: (name: string, value: unknown) => T,
): Readonly<Record<string, T>> {
  return Object.fromEntries(entries.map(([name, value]) => [name, transform(name, value)]));
}

function isType(type: unknown): type is StructuralSchema['type'] {
  return TYPES.has(type);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nodeOf(value: unknown, path: string): Node {
  if (!isNode(value)) throw notStructural(path, 'not a schema');
  return value;
}

function notStructural(path: string, why: string): Error {
  return new Error(`${path}: ${why}`);
}
