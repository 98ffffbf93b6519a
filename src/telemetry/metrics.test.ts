import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import perf_hooks from 'node:perf_hooks';
import { describe, expect, it, vi } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { METRICS } from './metric-table.ts';
import { PrometheusMetrics } from './metrics.ts';

const DAY_MS = 86_400_000;
const ROOT = join(import.meta.dirname, '..', '..');

async function textOf(metrics: PrometheusMetrics): Promise<string> {
  return (await metrics.exposition()).body;
}

describe('PrometheusMetrics', () => {
  it('serves counters, gauges and histograms in the text format', async () => {
    const metrics = new PrometheusMetrics();
    metrics.count('workqueue_adds_total', { name: 'migration', controller: 'migration' });
    metrics.count('workqueue_adds_total', { name: 'migration', controller: 'migration' }, 2);
    metrics.gauge('leader_election_master_status', { name: 'keyferry-operator' }, 1);
    metrics.observe('controller_runtime_reconcile_time_seconds', { controller: 'migration' }, 0.3);
    const text = await textOf(metrics);
    expect(text).toContain('workqueue_adds_total{name="migration",controller="migration"} 3\n');
    expect(text).toContain('# TYPE workqueue_adds_total counter\n');
    expect(text).toContain('leader_election_master_status{name="keyferry-operator"} 1\n');
    expect(text).toContain('reconcile_time_seconds_bucket{le="0.25",controller="migration"} 0\n');
    expect(text).toContain('reconcile_time_seconds_bucket{le="0.3",controller="migration"} 1\n');
    expect((await metrics.exposition()).contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  });

  it('shows a counter at zero, so that an alert sees the first increment', async () => {
    const metrics = new PrometheusMetrics();
    metrics.count('controller_runtime_reconcile_errors_total', { controller: 'migration' }, 0);
    expect(await textOf(metrics)).toContain(
      'controller_runtime_reconcile_errors_total{controller="migration"} 0\n',
    );
  });

  it('computes gauges at each scrape, and removes exactly the series of an object that no longer exists', async () => {
    const metrics = new PrometheusMetrics();
    const values = new Map([
      ['x', 3],
      ['y', 4],
    ]);
    metrics.computeAtScrape(['secretmigration_keys'], () =>
      [...values].map(([name, value]) => ({
        name: 'secretmigration_keys',
        labels: { namespace: 'a', name, state: 'verified' },
        value,
      })),
    );
    expect(await textOf(metrics)).toContain('name="x",state="verified"} 3');
    values.delete('x');
    values.set('y', 5);
    const text = await textOf(metrics);
    expect(text).not.toContain('name="x"');
    expect(text).toContain('secretmigration_keys{namespace="a",name="y",state="verified"} 5');
  });

  it.each([
    ['an unknown name', 'no_such_metric', {}],
    ['a missing label', 'workqueue_adds_total', { name: 'a' }],
    ['a label too many', 'workqueue_adds_total', { name: 'a', controller: 'a', key: 'a' }],
    ['another label', 'workqueue_adds_total', { name: 'a', queue: 'a' }],
    ['a gauge used as a counter', 'workqueue_depth', { name: 'a', controller: 'a' }],
    ['the name of a method of every object', 'toString', {}],
  ])('throws INVARIANT for %s', (_what, name, labels) => {
    const metrics = new PrometheusMetrics();
    expect(() => metrics.count(name, labels)).toThrow(
      expect.objectContaining({ constructor: OperatorError, code: 'INVARIANT' }),
    );
  });

  it('serves the metrics of the process on request', async () => {
    const metrics = new PrometheusMetrics();
    metrics.collectProcessMetrics();
    const text = await textOf(metrics);
    expect(text).toMatch(/^process_resident_memory_bytes [0-9]+$/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds [0-9.e-]+$/m);
    // `promtool check metrics` reports gauges that are named as counters.
    expect(text).not.toMatch(/^# TYPE \S+_total gauge$/m);
  });

  it('wakes the process for no metric: the delay of the event loop is measured at a scrape only', async () => {
    const monitored = vi.spyOn(perf_hooks, 'monitorEventLoopDelay');
    const metrics = new PrometheusMetrics();
    metrics.collectProcessMetrics();
    for (const [options] of monitored.mock.calls) expect(options?.resolution).toBeGreaterThan(DAY_MS);
    expect(await textOf(metrics)).not.toMatch(/eventloop_lag_[a-z0-9]+_seconds /);
  });
});

describe('the table of metrics', () => {
  const entries = Object.entries(METRICS);

  it.each(entries)('describes %s by the rules of Prometheus', (name, { kind, help, labels }) => {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(help).toMatch(/^[0-9A-Z].*\.$/);
    expect(new Set(labels).size).toBe(labels.length);
    expect(name.endsWith('_total')).toBe(kind === 'counter');
    if (kind === 'histogram') expect(name).toMatch(/_seconds$/);
    // Keys and paths are the data of a migration; they are neither bounded nor public.
    expect(labels).not.toContain('key');
    expect(labels).not.toContain('path');
  });

  it('equals the table of docs/metrics.md', () => {
    const documented = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8').match(/^\| `.*$/gm) ?? [];
    const expected = entries.map(
      ([name, { kind, help, labels }]) =>
        `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    );
    expect(documented.toSorted()).toEqual(expected.toSorted());
  });

  it('has exactly the metrics that the sources name', () => {
    const sources = globSync('src/**/*.ts', { cwd: ROOT })
      .filter((file) => !file.endsWith('.test.ts') && !file.endsWith('metric-table.ts'))
      .map((file) => readFileSync(join(ROOT, file), 'utf8'))
      .join('\n');
    const prefixes =
      /['"`]((?:controller_runtime|workqueue|rest_client|leader_election|keyferry|secretmigration)_[a-z_]+)['"`]/g;
    const named = new Set([...sources.matchAll(prefixes)].map(([, name = '']) => name));
    expect([...named].filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);
    expect(entries.map(([name]) => name).filter((name) => !named.has(name))).toEqual([]);
  });
});
