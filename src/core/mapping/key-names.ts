import { OperatorError } from '#src/errors.ts';
import { compileNamePattern } from './name-pattern.ts';

/** One entry of `mapping.keys`. */
export interface KeyRule {
  readonly from: string;
  /** Default: the keys keep their names. */
  readonly to?: string | undefined;
  /** What the values are written in; their bytes are what is moved. */
  readonly decode?: 'base64' | undefined;
}

/** `mapping.keys`: the names of keys at the destination. */
export interface KeyNames {
  /** The same values under their new keys. The first match wins; other keys stay. Throws `KEYS_COLLIDE`. */
  rename<Value>(fields: ReadonlyMap<string, Value>): ReadonlyMap<string, Value>;
  /** The new name of one key; two keys of a document that is refused can have the same. */
  newNameOf(key: string): string;
  /** True when the value of this key of the source is to be decoded. */
  isDecoded(key: string): boolean;
}

/** Why a renaming is refused. */
export const TWO_KEYS = 'Two keys get the same name.';

/** Throws `SPEC_INVALID` for a pattern outside the grammar of name-pattern.ts. */
export function compileKeyNames(table: readonly KeyRule[]): KeyNames {
  const rules = table.map(({ from, to = from, decode }, index) => ({
    pattern: compileNamePattern(from, to, `spec.mapping.keys[${index}]`),
    decode,
  }));
  const ruleOf = (old: string): { readonly name: string; readonly isDecoded: boolean } => {
    for (const { pattern, decode } of rules) {
      const name = pattern.rename(old);
      if (name !== undefined) return { name, isDecoded: decode !== undefined };
    }
    return { name: old, isDecoded: false };
  };
  return {
    rename: (fields) => {
      if (rules.length === 0) return fields;
      const renamed = new Map([...fields].map(([old, value]) => [ruleOf(old).name, value]));
      if (renamed.size === fields.size) return renamed;
      throw new OperatorError('KEYS_COLLIDE', { op: 'mapping.keys', detail: TWO_KEYS });
    },
    newNameOf: (key) => ruleOf(key).name,
    isDecoded: (key) => ruleOf(key).isDecoded,
  };
}
