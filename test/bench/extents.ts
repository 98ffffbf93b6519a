import type { Extent } from './setting.ts';

/** Twenty minutes a server, on two cores. The operator is idle for as long as all backends take to be probed once. */
export const WHOLE: Extent = {
  sizes: [100, 1_000, 10_000],
  rounds: 3,
  small: { migrations: 200, each: 20 },
  many: { migrations: 50, each: 200, idleSeconds: 330 },
  starts: 5,
  rotation: { documents: 1_000, rate: 20, seconds: 60 },
  counted: 1_000,
};

/** Two minutes: whether it runs at all, and roughly how fast. */
export const SLICE: Extent = {
  sizes: [1_000],
  rounds: 1,
  small: { migrations: 20, each: 20 },
  many: { migrations: 5, each: 20, idleSeconds: 5 },
  starts: 3,
  rotation: { documents: 100, rate: 20, seconds: 5 },
  counted: 100,
};
