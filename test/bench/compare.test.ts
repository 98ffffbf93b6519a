import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isMeasureName,
  kindOf,
  MEASURES,
  type Measure,
  type PerformanceRecord,
} from '#src/generate/performance-record.ts';
import { compare, complaints } from './compare.ts';

function recordOf(...measures: Measure[]): PerformanceRecord {
  return {
    server: 'openbao',
    recordedAt: '2026-11-28T12:00:00.000Z',
    commit: 'abc123',
    machine: { cores: 64, model: 'another one', memoryGiB: 512, system: 'Linux' },
    versions: { keyferry: '0.1.0', server: 'OpenBao 2.6.2', kubernetes: 'v1.37.0', node: 'v24.0.0' },
    measures,
  };
}

const push = (value: number, size = '1000'): Measure => ({ name: 'push', size, value });
const isWorse = (now: Measure, recorded: Measure): boolean | undefined =>
  compare([now], recordOf(recorded))[0]?.isWorse;

describe('a measure beside the recorded one', () => {
  it('is worse when a ratio is more than 15 % below it, on whatever machine that was recorded', () => {
    expect(isWorse(push(0.69), push(0.8))).toBe(false);
    expect(isWorse(push(0.67), push(0.8))).toBe(true);
    expect(isWorse(push(1.2), push(0.8))).toBe(false);
  });

  it('is worse when a document takes more requests; one report more is not that', () => {
    const api = (value: number): Measure => ({ name: 'push-api', size: '1000', value });
    expect(isWorse(api(0.03), api(0.012))).toBe(false);
    expect(isWorse(api(0.05), api(0.012))).toBe(true);
    expect(isWorse(api(0.001), api(0.012))).toBe(false);
  });

  it('is not worse without a recorded one of the same size, or with so few documents that the rate does not decide', () => {
    expect(isWorse(push(0.1), push(0.8, '10000'))).toBe(false);
    expect(isWorse(push(0.1, '100'), push(0.8, '100'))).toBe(false);
    expect(compare([push(0.1)], undefined)).toEqual([
      { measure: push(0.1), recorded: undefined, isWorse: false },
    ]);
  });

  it('is never worse where it is a time, bytes or a latency: those are of one machine', () => {
    const shownOnly = Object.keys(MEASURES)
      .filter(isMeasureName)
      .filter((name) => kindOf(name).isOnlyShown === true);
    expect(shownOnly).toContain('idle-rss');
    const value = fc.double({ min: 0, max: 1e6, noNaN: true });
    const property = fc.property(fc.constantFrom(...shownOnly), value, value, (name, now, then) => {
      expect(isWorse({ name, value: now }, { name, value: then })).toBe(false);
    });
    fc.assert(property);
    const units = shownOnly.map((name) => kindOf(name).unit);
    expect(new Set(units)).toContain('MiB');
    expect(Object.values(MEASURES).filter(({ unit }) => unit === 'MiB' || unit === 's')).toSatisfy(
      (kinds: readonly object[]) => kinds.every((kind) => 'isOnlyShown' in kind),
    );
  });

  it('is never worse than itself, and never when it is better', () => {
    const value = fc.double({ min: 0.001, max: 10, noNaN: true });
    const property = fc.property(value, fc.double({ min: 1, max: 10, noNaN: true }), (recorded, factor) => {
      expect(isWorse(push(recorded * factor), push(recorded))).toBe(false);
      const kv = (requests: number): Measure => ({ name: 'push-kv', size: '1000', value: requests });
      expect(isWorse(kv(recorded / factor), kv(recorded))).toBe(false);
    });
    fc.assert(property);
  });
});

describe('what make bench says of worse measures', () => {
  it('is which one, its value, the recorded one, where that is, and what to do', () => {
    const kv = (value: number): Measure => ({ name: 'push-kv', size: '1000', value });
    const record = recordOf(push(0.8), push(0.9, '10000'), kv(2));
    const lines = complaints(compare([push(0.4), push(0.9, '10000'), kv(3)], record), record);
    expect(lines).toEqual([
      'WORSE  Secrets → KV with 1000 documents: 0.4 of bare, recorded 0.8 (−50 %)',
      'WORSE  Secrets → KV: KV requests per document with 1000 documents: 3 requests, recorded 2 (+50 %)',
      'The record is docs/performance/openbao.json, of commit abc123. Measure again on a quiet machine: make bench ' +
        'PARTS=copy,requests. If the new number is right, record it: make bench RECORD=1',
    ]);
  });

  it('is nothing where none is', () => {
    const record = recordOf(push(0.8));
    expect(complaints(compare([push(0.8)], record), record)).toEqual([]);
    expect(complaints(compare([push(0.8)], undefined), undefined)).toEqual([]);
  });
});
