import { describe, expect, it } from 'vitest';
import type { Measure } from '#src/generate/performance-record.ts';
import type { Compared } from './compare.ts';
import { tableOf } from './table.ts';

function compared(measure: Measure, recorded?: number, isWorse = false): Compared {
  return { measure, recorded, isWorse };
}

describe('the table of a run', () => {
  it('has for each measure the value, the recorded one, the target, and whether that is met', () => {
    const table = tableOf([
      compared({ name: 'push', size: '1000', value: 0.612, seconds: { ours: 3.27, bare: 2 } }, 0.8, true),
      compared({ name: 'push-kv', size: '1000', value: 2 }, 2),
      compared({ name: 'start-empty-s', value: 0.3141 }),
      compared({ name: 'removal-kv', size: '1000', value: 1 }),
    ]);
    expect(table.split('\n')).toEqual([
      'measure                                 documents  now           recorded    target   met      made of',
      'Secrets → KV                            1000       0.61 of bare  0.80 WORSE  ≥ 0.80   not met  3.3 s, bare 2.0 s',
      'Secrets → KV: KV requests per document  1000       2.000         2.000       ≤ 2.000  met',
      'start to ready, empty                              0.31 s                    ≤ 0.40   met',
      'removal: KV requests per document       1000       1.000',
    ]);
  });

  it('is its head alone where nothing was measured', () => {
    expect(tableOf([])).toBe('measure  documents  now  recorded  target  met  made of');
  });
});
