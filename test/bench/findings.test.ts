import { describe, expect, it } from 'vitest';
import { combined, Findings } from './findings.ts';

describe('what a run found', () => {
  it('is the median of the shares of each round, not the share of the medians', () => {
    const rounds = [
      { ours: 2, bare: 1 },
      { ours: 4, bare: 3.6 },
      { ours: 10, bare: 6 },
    ];
    expect(combined(rounds, 'of bare')).toEqual({ value: 0.6, seconds: { ours: 4, bare: 3.6 } });
  });

  it('is the highest peak of memory, and the median of other numbers', () => {
    expect(combined([90, 130, 100], 'MiB')).toEqual({ value: 130 });
    expect(combined([0.3, 0.9, 0.4], 's')).toEqual({ value: 0.4 });
  });

  it('has one measure for each name and size, in the order of tables', () => {
    const findings = new Findings();
    findings.add('push', 1000, { ours: 2, bare: 1 });
    findings.add('start-empty-s', undefined, 0.3);
    findings.add('push', 1000, { ours: 2, bare: 1 });
    findings.add('push', 100, { ours: 4, bare: 1 });
    expect(findings.measures()).toEqual([
      { name: 'push', size: '1000', value: 0.5, seconds: { ours: 2, bare: 1 } },
      { name: 'push', size: '100', value: 0.25, seconds: { ours: 4, bare: 1 } },
      { name: 'start-empty-s', value: 0.3 },
    ]);
  });

  it('names a part that failed, keeps what it had found, and goes on', async () => {
    const said: string[] = [];
    const findings = new Findings((line) => said.push(line));
    await findings.attempt('copy', async () => {
      findings.add('push-rss', 1000, 100);
      throw new Error('the server is gone');
    });
    await findings.attempt('start', async () =>
      Promise.resolve(findings.add('start-empty-s', undefined, 0.3)),
    );
    expect(findings.failures).toEqual([{ part: 'copy', message: 'the server is gone' }]);
    expect(findings.measures().map(({ name }) => name)).toEqual(['start-empty-s', 'push-rss']);
    expect(said).toContain('  copy FAILED: the server is gone');
  });
});
