import { quoted } from '#src/errors/explain.ts';
import { OperatorError } from '#src/errors.ts';
import { compileKeyNames, TWO_KEYS, type KeyRule } from './key-names.ts';
import { compileNamePattern } from './name-pattern.ts';

/** The way back of `mapping.keys`: the names at the source of keys at the destination. */
export interface OldKeys {
  /**
   * The same values under their keys at the source: the names that are there now (`known`) where they fit, else those that
   * the rules give. Renaming the result gives `fields` again. Throws `KEYS_COLLIDE` for keys that have no such names.
   */
  restore<Value>(fields: ReadonlyMap<string, Value>, known: ReadonlySet<string>): ReadonlyMap<string, Value>;
}

/** Throws `SPEC_INVALID` for a rule that has no way back. */
export function compileOldKeys(table: readonly KeyRule[]): OldKeys {
  const names = compileKeyNames(table);
  const newNameOf = (old: string): string => names.newNameOf(old);
  const backwards = table.map((rule, index) => backwardsOf(rule, `spec.mapping.keys[${index}]`));
  return {
    restore: (fields, known) => {
      if (table.length === 0) return fields;
      const kept = new Map([...known].map((old) => [newNameOf(old), old]));
      const oldNameOf = (name: string): string => {
        const made = [kept.get(name), ...backwards.map((rename) => rename(name)), name];
        const old = made.find((each) => each !== undefined && newNameOf(each) === name);
        if (old !== undefined) return old;
        const detail = `No key of the source can become ${quoted(name)}.`;
        throw new OperatorError('KEYS_COLLIDE', { op: 'mapping.keys', detail });
      };
      const restored = new Map([...fields].map(([name, value]) => [oldNameOf(name), value]));
      if (restored.size === fields.size) return restored;
      throw new OperatorError('KEYS_COLLIDE', { op: 'mapping.keys', detail: TWO_KEYS });
    },
  };
}

/** The rule read from right to left. */
function backwardsOf(
  { from, to = from, decode }: KeyRule,
  target: string,
): (name: string) => string | undefined {
  const hint = 'Use sync.authority Source, or a rule whose from and to have the same parts and no decode.';
  const about = { op: 'mapping.compile', target, hint };
  if (decode !== undefined)
    throw new OperatorError('SPEC_INVALID', {
      ...about,
      detail: 'A decoded value has no way back to the source.',
    });
  try {
    const pattern = compileNamePattern(to, from, target);
    return (name) => pattern.rename(name);
  } catch (failure) {
    throw new OperatorError('SPEC_INVALID', {
      ...about,
      detail: 'The rule has no way back to the source: to lacks a part of from.',
      cause: failure,
    });
  }
}
