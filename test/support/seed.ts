import { randomInt } from 'node:crypto';

/** The variable that replays a run. */
const VARIABLE = 'KEYFERRY_SEED';

/** What KEYFERRY_SEED says, else a new one each time: print it. */
export function chooseSeed(): number {
  const given = process.env[VARIABLE];
  return given === undefined ? randomInt(2 ** 32) : Number.parseInt(given, 10);
}

/** Whole numbers in [0, below) that a seed determines (mulberry32). */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
