import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { selectorText } from '#src/core/label-selector.ts';
import { collect } from '#test/support/collect.ts';
import { anySelector, LABELED, selectedBy } from '#test/support/label-selectors.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { MemoryDriver } from './driver.ts';
import { MemoryStore } from './store.ts';

/* test/conformance/kubernetes.test.ts asks the real API server the same. */

it('any label selector of a spec, as text, selects what metav1.LabelSelector selects', async () => {
  const store = new MemoryStore({ name: 'flat', addressing: 'flat', clock: new ManualClock() });
  for (const [name, labels] of Object.entries(LABELED)) {
    store.put(name, {}, { metadata: new Map(Object.entries(labels)) });
  }
  const driver = new MemoryDriver({ store });
  await fc.assert(
    fc.asyncProperty(anySelector, async (selector) => {
      const query = { folder: '', labelSelector: selectorText(selector) };
      const entries = await collect(driver.list(query, new AbortController().signal));
      expect(entries.map(({ address }) => address).toSorted()).toEqual(selectedBy(selector));
    }),
    { numRuns: 300 },
  );
});
