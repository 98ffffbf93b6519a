/** `mapping.join`: the keys of a document that is joined of several. */
export interface JoinedKeys {
  /** The key of one value of a part. Two of them can get the same one. */
  keyOf(part: string, key: string): string;
  /** The key is made of the name of the part alone, so a part can have one value only. */
  readonly needsOneKey: boolean;
}

/** The key if the spec does not say. Names and keys can be chosen so that two of them meet: then they are refused. */
export const DEFAULT_JOINED_KEY = '{name}.{key}';

const PLACEHOLDER = /\{(name|key)\}/g;

/** Compiles `mapping.join.key`: `{name}` and `{key}` between literals. The schema knows the grammar. */
export function compileJoinedKeys(template: string = DEFAULT_JOINED_KEY): JoinedKeys {
  return {
    keyOf: (part, key) =>
      template.replaceAll(PLACEHOLDER, (_, placeholder) => (placeholder === 'name' ? part : key)),
    needsOneKey: !template.includes('{key}'),
  };
}
