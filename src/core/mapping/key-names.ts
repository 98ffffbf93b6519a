import { OperatorError } from '#src/errors.ts';
import { compileNamePattern } from './name-pattern.ts';

/** `mapping.keys`: the names of keys at the destination. */
export interface KeyNames {
  /** The same values under their new keys. The first match wins; other keys stay. Throws `KEYS_COLLIDE`. */
  rename<Value>(fields: ReadonlyMap<string, Value>): ReadonlyMap<string, Value>;
}

/** Throws `SPEC_INVALID` for a pattern outside the grammar of name-pattern.ts. */
export function compileKeyNames(table: readonly { readonly from: string; readonly to: string }[]): KeyNames {
  const patterns = table.map(({ from, to }, index) =>
    compileNamePattern(from, to, `spec.mapping.keys[${index}]`),
  );
  const nameOf = (old: string): string => {
    for (const pattern of patterns) {
      const renamed = pattern.rename(old);
      if (renamed !== undefined) return renamed;
    }
    return old;
  };
  return {
    rename: (fields) => {
      if (patterns.length === 0) return fields;
      const renamed = new Map([...fields].map(([old, value]) => [nameOf(old), value]));
      if (renamed.size === fields.size) return renamed;
      throw new OperatorError('KEYS_COLLIDE', { op: 'mapping.keys' });
    },
  };
}
