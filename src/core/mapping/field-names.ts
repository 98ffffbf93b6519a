import { OperatorError } from '#src/errors.ts';
import { compileNamePattern } from './name-pattern.ts';

/** `mapping.fields`: what fields are called at the destination. */
export interface FieldNames {
  /** The fields under their new names; first match wins, others keep theirs. Throws `FIELDS_COLLIDE`. */
  rename<Value>(fields: ReadonlyMap<string, Value>): ReadonlyMap<string, Value>;
}

/** Throws `SPEC_INVALID` for what is outside of the grammar of name-pattern.ts. */
export function compileFieldNames(
  table: readonly { readonly from: string; readonly to: string }[],
): FieldNames {
  const patterns = table.map(({ from, to }, index) =>
    compileNamePattern(from, to, `spec.mapping.fields[${index}]`),
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
      throw new OperatorError('FIELDS_COLLIDE', { op: 'mapping.fields' });
    },
  };
}
