import type { Address, Attributes } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import { escapedName } from '#src/errors/printable.ts';
import type { Entry, Listed, ListedVersion, ListQuery } from '../listing.ts';
import { listedAs } from '../listing-problem.ts';
import { addressRefusalOf } from './refusals.ts';
import type { MemoryStore } from './store.ts';

type Labels = Readonly<Record<string, string>>;

/**
 * What matches the query, sorted. `mayList` tells whether the credentials may list a folder: one that they may not is a
 * problem, and hides the names below it.
 */
export function listedIn(
  store: MemoryStore,
  { folder, labelSelector, skips }: ListQuery,
  mayList: (folder: Address) => boolean,
): readonly Listed[] {
  const matches = compileSelector(labelSelector);
  const problems = new Map<Address, Listed>();
  const entries: Listed[] = [];
  for (const address of store.addresses()) {
    if (folder !== '' && !address.startsWith(`${folder}/`)) continue;
    const folders = foldersOf(address).filter((each) => each.length > folder.length);
    if (foldersOf(address).some((each) => skips?.(each) === true)) continue;
    const hidden = folders.find((each) => !mayList(each));
    const entry = entryOf(store, address);
    if (hidden !== undefined) problems.set(hidden, problemOf(hidden));
    else if (matches(entry.labels ?? {}))
      entries.push(listedAs(entry, (each) => addressRefusalOf(store, each)));
  }
  return [...entries, ...problems.values()];
}

/** The state of a listed document. */
export function versionAt(store: MemoryStore, address: Address): ListedVersion {
  const found = store.resultOf(address, store.currentAt(address));
  if (found.state === 'absent') return { address, state: 'absent' };
  const version = found.state === 'deleted' ? found.version : found.document.version;
  return { address, state: found.state, version };
}

function problemOf(folder: Address): Listed {
  const problem = new OperatorError('AUTH_DENIED', { op: 'memory.list', target: folder });
  return { address: escapedName(`${folder}/`), problem };
}

function entryOf(store: MemoryStore, address: Address): Entry {
  const { addressing, listsTypes } = store.traits;
  const attributes = store.currentAt(address)?.attributes ?? {};
  const labels = addressing === 'flat' ? { labels: labelsOf(attributes) } : {};
  const type = listsTypes && attributes.type !== undefined ? { type: attributes.type } : {};
  return { address, ...labels, ...type };
}

/** `a/b/c` lies in `a` and `a/b`. */
function foldersOf(address: Address): readonly Address[] {
  const segments = address.split('/').slice(0, -1);
  return segments.map((_, index) => segments.slice(0, index + 1).join('/'));
}

/** The labels of a document are its metadata. */
function labelsOf({ metadata }: Attributes): Labels {
  return Object.fromEntries(metadata ?? []);
}

/** One of `key`, `!key`, `key=value`, `key==value`, `key!=value`, `key in (a,b)` and `key notin (a,b)`. */
const REQUIREMENT =
  /^(?<not>!)?(?<key>[A-Za-z0-9._/-]+)(?: ?(?<operator>!=|==?|in(?= \()|notin(?= \())(?: \((?<values>[A-Za-z0-9._, -]*)\)|(?<value>[A-Za-z0-9._-]*)))?$/;
/** A comma within parentheses separates values. */
const BETWEEN_REQUIREMENTS = /,(?![^(]*\))/;

/**
 * Whether labels match a selector, as `labels.Parse` in k8s.io/apimachinery has it. Throws `REQUEST_REJECTED` for any other
 * text, also for other spaces than Keyferry writes, so that no test passes because of a missing feature here.
 */
function compileSelector(selector: string | undefined): (labels: Labels) => boolean {
  if (selector === undefined) return () => true;
  const requirements = selector.split(BETWEEN_REQUIREMENTS).map((text) => {
    const holds = compileRequirement(REQUIREMENT.exec(text.trim())?.groups ?? {});
    if (holds === undefined)
      throw new OperatorError('REQUEST_REJECTED', { op: 'memory.list', target: selector });
    return holds;
  });
  return (labels) => requirements.every((holds) => holds(labels));
}

/** Undefined for a text that is not a requirement. */
function compileRequirement(
  parts: Readonly<Record<string, string | undefined>>,
): ((labels: Labels) => boolean) | undefined {
  const { not, key, operator, value = '', values } = parts;
  if (key === undefined) return undefined;
  if (operator === undefined) return (labels) => Object.hasOwn(labels, key) === (not === undefined);
  if (not !== undefined) return undefined;
  const wanted = new Set(values?.split(',').map((each) => each.trim()) ?? [value]);
  const isNegative = operator === '!=' || operator === 'notin';
  return (labels) => (Object.hasOwn(labels, key) && wanted.has(labels[key] ?? '')) !== isNegative;
}
