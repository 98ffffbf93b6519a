import { Problem } from './problem.ts';

const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const PART = /^(\d{1,9})(ms|s|m|h)/;

/**
 * Milliseconds of `90s`, `5m` or `1h30m`, as kubectl writes durations; undefined for 0, which means without an end. Throws
 * `Problem` for other text.
 */
export function parseTimeout(text = '0'): number | undefined {
  if (/^0[a-z]{0,2}$/.test(text)) return undefined;
  let rest = text;
  let total = 0;
  do {
    const [part, number, unit = ''] = PART.exec(rest) ?? [];
    if (part === undefined || !isUnit(unit))
      throw new Problem('--timeout: write a duration such as 30s, 5m or 1h; 0 waits without an end.');
    total += Number(number) * UNITS_MS[unit];
    rest = rest.slice(part.length);
  } while (rest !== '');
  return total;
}

function isUnit(unit: string): unit is keyof typeof UNITS_MS {
  return Object.hasOwn(UNITS_MS, unit);
}
