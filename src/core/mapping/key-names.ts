import { OperatorError } from '#src/errors.ts';
import { compileNamePattern } from './name-pattern.ts';

/** `mapping.keys`: what fields are called at the destination. */
export interface KeyNames {
  /** The fields under their new names; first match wins, others keep theirs. Throws `KEYS_COLLIDE`. */
  rename<Value>(fields: ReadonlyMap<string, Value>): ReadonlyMap<string, Value>;
}

/** Throws `SPEC_INVALID` for what is outside of the grammar of name-pattern.ts. */
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
