import type { Address, Attributes } from '#src/core/document.ts';
import { OperatorError } from '#src/errors.ts';
import type { Entry, ListQuery } from '../driver.ts';
import type { MemoryStore } from './store.ts';

type Labels = Readonly<Record<string, string>>;

/** The entries that match the query, sorted. */
export function entriesIn(store: MemoryStore, { folder, labelSelector, skips }: ListQuery): readonly Entry[] {
  const matches = compileSelector(labelSelector);
  return store
    .addresses()
    .filter((address) => folder === '' || address.startsWith(`${folder}/`))
    .filter((address) => !foldersOf(address).some((each) => skips?.(each) === true))
    .map((address) => entryOf(store, address))
    .filter((entry) => matches(entry.labels ?? {}));
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

/** One of `key`, `!key`, `key=value`, `key==value` and `key!=value`. */
const REQUIREMENT = /^(?<not>!)?(?<key>[A-Za-z0-9._/-]+)(?:(?<operator>!=|==?)(?<value>[A-Za-z0-9._-]*))?$/;

/**
 * Whether labels match a selector: equality and existence, joined by commas. Throws `REQUEST_REJECTED` for any other
 * selector of Kubernetes, so that no test passes because of a missing feature here.
 */
function compileSelector(selector: string | undefined): (labels: Labels) => boolean {
  if (selector === undefined) return () => true;
  const requirements = selector.split(',').map((text) => {
    const { not, key = '', operator, value } = REQUIREMENT.exec(text.trim())?.groups ?? {};
    if (key === '') throw new OperatorError('REQUEST_REJECTED', { op: 'memory.list', target: selector });
    if (operator === undefined) return (labels: Labels) => key in labels === (not === undefined);
    return (labels: Labels) => (labels[key] === value) === (operator !== '!=');
  });
  return (labels) => requirements.every((holds) => holds(labels));
}
