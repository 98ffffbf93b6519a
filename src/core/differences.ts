import { shortened } from '#src/errors/explain.ts';
import { isPlain, keepsKind, keepsPair, pairsOf, type Document } from './document.ts';

/** Names of attributes in one message; more are counted. */
const MOST_NAMES = 2;
/** Bytes of one name. */
const MAX_NAME = 28;

const PART = { metadata: 'custom metadata', labels: 'label', annotations: 'annotation' } as const;

/**
 * The attributes of a document that its copy lacks, for a message: `type, label team and 3 more`. Names only, never what they
 * are set to.
 */
export function differencesOf(original: Document, copy: Document): string {
  const kept = keepsKind(original, copy) || isPlain(original);
  const kind = kept
    ? []
    : (['type', 'immutable'] as const).filter((name) => original.attributes[name] !== copy.attributes[name]);
  const pairs = pairsOf(original)
    .filter((pair) => !keepsPair(copy, pair))
    .map(({ part, key }) => `${PART[part]} ${shortened(key, MAX_NAME)}`);
  const all = [...kind, ...pairs];
  const more = all.length - MOST_NAMES;
  return `${all.slice(0, MOST_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
