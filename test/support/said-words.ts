import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAst } from 'rolldown/parseAst';

/** A string literal in the sources, and where it goes. */
export interface SaidWord {
  readonly word: string;
  /**
   * The property, variable or parameter that it is assigned to; `argument` of a call, `return`, `element` of an array,
   * or `asked` if it is only searched for.
   */
  readonly goesTo: string;
}

interface Node {
  readonly type: string;
  readonly [part: string]: unknown;
}

const SOURCE = join(import.meta.dirname, '../../src');

/** Methods and classes that search for a word instead of writing it. */
const ASKS: ReadonlySet<string> = new Set(['includes', 'has', 'hasCode', 'Set', 'startsWith', 'endsWith']);

/**
 * All string literals in the sources of these rooms (folders of src), except those in types and comparisons, and those
 * of the memory backend, which is for tests.
 */
export function wordsOf(...rooms: readonly string[]): readonly SaidWord[] {
  return rooms
    .flatMap((room) => globSync(`${room}/**/*.ts`, { cwd: SOURCE }))
    .filter((file) => !file.endsWith('.test.ts') && !file.startsWith('backends/memory/'))
    .flatMap((file) => wordsIn(readFileSync(join(SOURCE, file), 'utf8')));
}

/** The same for one text in TypeScript. */
export function wordsIn(text: string): readonly SaidWord[] {
  const words: SaidWord[] = [];
  const walk = (node: unknown, goesTo: string): void => {
    if (Array.isArray(node)) for (const each of node) walk(each, goesTo);
    if (!isNode(node)) return;
    if (node.type === 'Literal' && typeof node['value'] === 'string')
      words.push({ word: node['value'], goesTo });
    for (const [part, child] of childrenOf(node)) walk(child, within(goesTo, destinationOf(node, part)));
  };
  walk(parseAst(text, { lang: 'ts' }), '');
  return words;
}

/** Elements of a list that is only searched are only asked for: `new Set(['X']).has(word)`. */
function within(outer: string, inner: string | undefined): string {
  return outer === 'asked' && inner === 'element' ? 'asked' : (inner ?? outer);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

const EXPRESSIONS_OF_TYPES: ReadonlySet<string> = new Set(['TSAsExpression', 'TSSatisfiesExpression']);
/** Parts whose strings do not count: names of modules and members. */
const SILENT_PARTS: ReadonlySet<string> = new Set(['source', 'key', 'typeAnnotation', 'typeArguments']);

function childrenOf(node: Node): readonly (readonly [string, unknown])[] {
  if (node.type.startsWith('TS') && !EXPRESSIONS_OF_TYPES.has(node.type)) return [];
  const children = Object.entries(node).filter(([part]) => !SILENT_PARTS.has(part));
  if (node.type !== 'BinaryExpression') return children;
  return children.filter(([, child]) => !isNode(child) || child.type !== 'Literal');
}

type Destination = (node: Node) => string | undefined;

/** Where the strings in a part of a node go, by `type.part`. */
const DESTINATIONS: ReadonlyMap<string, Destination> = new Map<string, Destination>([
  ['Property.value', ({ key }) => nameOf(key)],
  ['PropertyDefinition.value', ({ key }) => nameOf(key)],
  ['VariableDeclarator.init', ({ id }) => nameOf(id)],
  ['AssignmentPattern.right', ({ left }) => nameOf(left)],
  ['CallExpression.arguments', ({ callee }) => destinationOfArguments(callee)],
  ['NewExpression.arguments', ({ callee }) => destinationOfArguments(callee)],
  ['ConditionalExpression.test', () => 'asked'],
  ['ArrayExpression.elements', () => 'element'],
  ['ReturnStatement.argument', () => 'return'],
]);

/** Undefined: the same as for the node itself. */
function destinationOf(node: Node, part: string): string | undefined {
  return DESTINATIONS.get(`${node.type}.${part}`)?.(node);
}

function destinationOfArguments(callee: unknown): string {
  const name = isNode(callee) ? (nameOf(callee['property']) ?? nameOf(callee)) : undefined;
  return name !== undefined && ASKS.has(name) ? 'asked' : 'argument';
}

function nameOf(node: unknown): string | undefined {
  return isNode(node) && typeof node['name'] === 'string' ? node['name'] : undefined;
}
