import { describe, expect, it } from 'vitest';
import { Memory } from './memory.ts';

/** The memory of one replica, a sample every two seconds for ten minutes. */
function growing(mibAt: (seconds: number) => number): Memory {
  const memory = new Memory();
  for (let at = 0; at <= 600; at += 2) memory.add('leader', { at, mib: mibAt(at) });
  return memory;
}

describe('the memory of the soak', () => {
  it('finds growth that goes on', () => {
    expect(growing((at) => 100 + at / 150).slope(240)?.steady).toBeCloseTo(2);
  });

  it('does not take one step for growth', () => {
    expect(growing((at) => (at < 400 ? 140 : 150)).slope(240)?.steady).toBeCloseTo(0);
  });

  it('leaves the warm-up out', () => {
    expect(growing((at) => Math.min(at, 240)).slope(240)?.steady).toBeCloseTo(0);
  });

  it('finds growth beside a step', () => {
    const { steady = 0 } = growing((at) => (at < 300 ? 140 : 150) + at / 150).slope(240) ?? {};
    expect(steady).toBeGreaterThan(1);
  });

  it('says nothing of a replica that led no longer than the warm-up', () => {
    expect(growing(() => 100).slope(700)).toBeUndefined();
  });
});
