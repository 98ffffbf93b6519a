import type { Metrics } from '#src/ports.ts';

/** A command serves no metrics. */
export const NO_METRICS: Metrics = {
  count: () => undefined,
  observe: () => undefined,
  gauge: () => undefined,
};
