import { mkdirSync, mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawingOf } from './performance-drawing.ts';
import {
  readRecord,
  recordFile,
  recordText,
  type Measure,
  type PerformanceRecord,
} from './performance-record.ts';
import { performanceFiles, performancePage } from './performance.ts';

const MEASURES: readonly Measure[] = [
  { name: 'push', size: '100', value: 0.4, seconds: { ours: 0.5, bare: 0.2 } },
  { name: 'push', size: '1000', value: 0.8, seconds: { ours: 2.5, bare: 2 } },
  { name: 'push', size: '10000', value: 0.82, seconds: { ours: 24.4, bare: 20 } },
  { name: 'push-rss', size: '1000', value: 112.4 },
  { name: 'push-rss', size: '10000', value: 140.2 },
  { name: 'small', size: '200 × 20', value: 0.7, seconds: { ours: 10, bare: 7 } },
];

function aRecord(measures: readonly Measure[] = MEASURES): PerformanceRecord {
  return {
    server: 'openbao',
    recordedAt: '2026-11-28T12:00:00.000Z',
    commit: 'abc123',
    machine: { cores: 2, model: 'AMD EPYC', memoryGiB: 8, system: 'Linux 6.18' },
    versions: { keyferry: '0.1.0', server: 'OpenBao 2.6.2', kubernetes: 'v1.37.0', node: 'v24.0.0' },
    measures: [...measures],
  };
}

/** The texts of an SVG. */
function texts(svg: string): readonly string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text = '']) => text);
}

/** Where each line of a panel goes through: pairs of numbers. */
function lines(svg: string): readonly (readonly (readonly number[])[])[] {
  return [...svg.matchAll(/<path d="M([^"HVh]*)" fill="none"/g)].map(([, path = '']) =>
    path.split('L').map((point) => point.split(' ').map(Number)),
  );
}

describe('the page of the records', () => {
  it('says of each measure whether its target is met, and with what and when it was measured', () => {
    const page = performancePage([aRecord()]);
    expect(page).toContain(
      'OpenBao 2.6.2, Kubernetes v1.37.0, Node v24.0.0, Keyferry 0.1.0 at commit `abc123`',
    );
    expect(page).toContain('measured on 2026-11-28 with 2 cores (AMD EPYC), 8 GiB');
    expect(page).toContain('| Secrets → KV | 100 | 0.40 of bare | ≥ 0.80 | no | 500 ms, bare 200 ms |');
    expect(page).toContain('| Secrets → KV | 1000 | 0.80 of bare | ≥ 0.80 | yes | 2.5 s, bare 2.0 s |');
    expect(page).toContain('| Secrets → KV: peak RSS | 10000 | 140 MiB | ≤ 130 | no |  |');
    expect(page).toContain('(performance/openbao.svg)');
  });

  it('is made of what is recorded: a server without a record has no section', () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'keyferry-performance-'));
    expect([...performanceFiles(folder.path).keys()]).toEqual(['docs/performance.md']);
    mkdirSync(join(folder.path, 'docs/performance'), { recursive: true });
    writeFileSync(join(folder.path, recordFile('openbao')), recordText(aRecord()));
    const files = performanceFiles(folder.path);
    expect([...files.keys()]).toEqual(['docs/performance.md', 'docs/performance/openbao.svg']);
    expect(files.get('docs/performance.md')).toBe(performancePage([aRecord()]));
    expect(readRecord(folder.path, 'openbao')).toEqual(aRecord());
  });

  it('is not made of a file that is not a record', () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'keyferry-performance-'));
    mkdirSync(join(folder.path, 'docs/performance'), { recursive: true });
    const unknown = { ...aRecord(), measures: [{ name: 'no such measure', value: 1 }] };
    writeFileSync(join(folder.path, recordFile('openbao')), JSON.stringify(unknown));
    expect(() => performanceFiles(folder.path)).toThrow('measures');
  });
});

describe('the drawing of a record', () => {
  const svg = drawingOf(aRecord(), 'Costs');

  it('has a panel for each step and for memory, as far as they were measured with several sizes', () => {
    expect(texts(svg)).toEqual(
      expect.arrayContaining(['Secrets → KV', 'Peak memory', 'Keyferry', 'bare loop']),
    );
    expect(texts(svg)).toEqual(expect.arrayContaining(['100', '1,000', '10,000']));
    expect(texts(svg)).not.toContain('Removal');
  });

  it('has more documents to the right, and a higher cost above', () => {
    const [ours = [], bare = []] = lines(svg);
    expect(ours).toHaveLength(3);
    const [xs, ys] = [ours.map(([x = 0]) => x), ours.map(([, y = 0]) => y)];
    expect(xs).toEqual(xs.toSorted((a, b) => a - b));
    // 5, 2.5 and 2.4 ms a document: SVG counts downwards.
    expect(ys).toEqual(ys.toSorted((a, b) => a - b));
    expect(bare[0]?.[1]).toBeGreaterThan(ours[0]?.[1] ?? 0);
  });

  it('stays within its frame, and is well-formed where there is one point or none', () => {
    const one: Measure = { name: 'pull', size: '1000', value: 1, seconds: { ours: 1, bare: 1 } };
    for (const measures of [MEASURES, [one], []]) {
      const drawn = drawingOf(aRecord(measures), 'Costs');
      expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
      const numbers = [...drawn.matchAll(/\b(?:x|y|cx|cy)="([^"]*)"/g)].map(([, value]) => Number(value));
      expect(numbers.every((value) => value >= 0 && value <= 300)).toBe(true);
      expect(drawn.match(/<g /g) ?? []).toHaveLength((drawn.match(/<\/g>/g) ?? []).length);
    }
  });
});
