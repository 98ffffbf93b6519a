import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { anySelector, LABELED, selectedBy } from '#test/support/label-selectors.ts';
import { matchesLabels } from './label-selector.ts';

it('a label selector matches the labels that metav1.LabelSelector selects', () => {
  fc.assert(
    fc.property(anySelector, (selector) => {
      const matching = Object.entries(LABELED).filter(([, labels]) => matchesLabels(selector, labels));
      expect(matching.map(([name]) => name).toSorted()).toEqual(selectedBy(selector));
    }),
    { numRuns: 500 },
  );
});

it('a label selector does not find a label in what every object inherits', () => {
  const selector = { matchExpressions: [{ key: 'constructor', operator: 'Exists' as const }] };
  expect(matchesLabels(selector, {})).toBe(false);
});
