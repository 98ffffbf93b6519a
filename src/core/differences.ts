import { firstNames, shortened } from '#src/errors/explain.ts';
import { keepsKind, keepsPair, pairsOf, type Document } from './document.ts';

/** Bytes of one name. */
const MAX_NAME = 28;

const PART = { metadata: 'custom metadata', labels: 'label', annotations: 'annotation' } as const;

/**
 * Which keys a destination lacks, and whether it has others, for a message; undefined if both have the same keys. Of the other
 * keys no name, and of equal keys not which of them have other bytes: that would tell of each value whether a guess is right.
 */
export function keysThatDiffer(original: Document, copy: Document): string | undefined {
  const lacks = [...original.fields.keys()].filter((key) => !copy.fields.has(key)).toSorted();
  const hasOthers = [...copy.fields.keys()].some((key) => !original.fields.has(key));
  const names = lacks.map((key) => `"${shortened(key, MAX_NAME)}"`);
  const parts = [
    ...(lacks.length === 0 ? [] : [`lacks ${firstNames(names)}`]),
    ...(hasOthers ? ['has keys that the source lacks'] : []),
  ];
  return parts.length === 0 ? undefined : parts.join(' and ');
}

/**
 * The attributes of a document that its copy lacks, for a message: `type, label team and 3 more`. Names only, never what they
 * are set to.
 */
export function differencesOf(original: Document, copy: Document): string {
  const kind = keepsKind(original, copy)
    ? []
    : (['type', 'immutable'] as const).filter((name) => original.attributes[name] !== copy.attributes[name]);
  const pairs = pairsOf(original)
    .filter((pair) => !keepsPair(copy, pair))
    .map(({ part, key }) => `${PART[part]} ${shortened(key, MAX_NAME)}`);
  return firstNames([...kind, ...pairs]);
}
