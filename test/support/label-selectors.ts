import * as fc from 'fast-check';
import type { LabelSelector } from '#src/core/label-selector.ts';

type Labels = Readonly<Record<string, string>>;

const TEAMS = [undefined, '', 'core', 'edge'];
const TIERS = [undefined, 'web', 'db'];
const KEYS = ['team', 'example.com/tier', 'absent'];
const VALUES = ['', 'core', 'edge', 'web', 'db', 'Other_1.x'];

/** Labels of documents, by name: each combination that `anySelector` can tell apart. */
export const LABELED: Readonly<Record<string, Labels>> = Object.fromEntries(
  TEAMS.flatMap((team, row) =>
    TIERS.map((tier, column) => [
      `s${row}${column}`,
      {
        ...(team === undefined ? {} : { team }),
        ...(tier === undefined ? {} : { 'example.com/tier': tier }),
      },
    ]),
  ),
);

/** Selectors that the API server accepts, over few keys and values, so that each selects some of `LABELED`. */
export const anySelector: fc.Arbitrary<LabelSelector> = fc
  .record({
    matchLabels: fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES), { maxKeys: 2 }),
    matchExpressions: fc.array(
      fc.oneof(
        fc.record({
          key: fc.constantFrom(...KEYS),
          operator: fc.constantFrom('In' as const, 'NotIn' as const),
          values: fc.array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 3 }),
        }),
        fc.record({
          key: fc.constantFrom(...KEYS),
          operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const),
        }),
      ),
      { maxLength: 3 },
    ),
  })
  .filter(
    ({ matchLabels, matchExpressions }) => Object.keys(matchLabels).length + matchExpressions.length > 0,
  );

/** The names of `LABELED` that the selector selects, as the comments of metav1.LabelSelector define it. */
export function selectedBy({ matchLabels = {}, matchExpressions = [] }: LabelSelector): readonly string[] {
  const names = Object.entries(LABELED).filter(([, labels]) => {
    const hasAll = Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
    return (
      hasAll &&
      matchExpressions.every(({ key, operator, values = [] }) => {
        const value = labels[key];
        if (operator === 'Exists') return value !== undefined;
        if (operator === 'DoesNotExist') return value === undefined;
        const isOneOf = value !== undefined && values.includes(value);
        return operator === 'In' ? isOneOf : !isOneOf;
      })
    );
  });
  return names.map(([name]) => name).toSorted();
}
