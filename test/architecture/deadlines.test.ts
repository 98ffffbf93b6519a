import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DEADLINES_MS } from '#src/engine/deadlines.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/fairness.md'), 'utf8');

it('docs/fairness.md names the deadline of each phase', () => {
  const rows = [...page.matchAll(/^\| `(\w+)`: [^|]+ \| (\d+) s \|/gm)];
  const documented = rows.map(([, phase, seconds]) => [phase, Number(seconds) * 1_000]);
  expect(documented).toEqual(Object.entries(DEADLINES_MS));
});
