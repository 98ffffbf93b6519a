import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { METRICS } from '#src/telemetry/metric-table.ts';
import { PrometheusMetrics } from '#src/telemetry/metrics.ts';
import { dashboardExpressions, DashboardSchema, RulesSchema } from '#test/support/monitoring.ts';

const ROOT = join(import.meta.dirname, '../..');
const RUNBOOKS = 'https://keyferry.io/docs/runbooks/';

function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

const rules = RulesSchema.parse(load(textOf('charts/keyferry/files/rules.yaml'))).groups.flatMap(
  (group) => group.rules,
);
const dashboard = DashboardSchema.parse(JSON.parse(textOf('charts/keyferry/files/dashboard.json')));

/** Every name that the process serves: ours, and those of the process. */
async function servedNames(): Promise<ReadonlySet<string>> {
  const metrics = new PrometheusMetrics();
  metrics.collectProcessMetrics();
  const { body } = await metrics.exposition();
  const names = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', kind]) =>
    kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  return new Set(names);
}

/** Names of metrics in an expression: no function, keyword, label or text has one of these prefixes. */
function metricsIn(expression: string): readonly string[] {
  return expression.match(/\b[a-z]+_[a-z0-9_]+\b(?=\s*[{[)]|\s|$)/g) ?? [];
}

/** Labels that an expression selects or groups by. */
function labelsIn(expression: string): readonly string[] {
  const selectors = [...expression.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label = '']) => label);
  const groups = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
  return [...selectors, ...groups];
}

describe('the alerts', () => {
  it('have a page each, and each page has its alert', () => {
    const pages = globSync('docs/runbooks/*.md', { cwd: ROOT }).map((file) => basename(file, '.md'));
    expect(rules.map(({ alert }) => alert).toSorted()).toEqual(pages.toSorted());
    for (const { alert, annotations } of rules) expect(annotations.runbook_url).toBe(`${RUNBOOKS}${alert}`);
  });

  it.each(rules)('$alert has a page that shows its expression, and is in docs/metrics.md', (rule) => {
    const page = textOf(`docs/runbooks/${rule.alert}.md`);
    const shown = `\`\`\`text\n${rule.expr.trimEnd()}\n\`\`\``;
    expect(page).toContain(`# ${rule.alert}\n`);
    expect(page).toContain(`Severity: ${rule.labels.severity}. Fires after ${rule.for} of:\n\n${shown}\n`);
    expect(page).toContain('## What to do\n');
    expect(textOf('docs/metrics.md')).toContain(`[${rule.alert}](runbooks/${rule.alert}.md)`);
  });
});

describe('an expression', () => {
  const ofAlerts = rules.map(({ alert, expr }) => [alert, expr] as const);
  const expressions = [...ofAlerts, ...dashboardExpressions(dashboard)];

  it.each(expressions)('of %s reads only metrics and labels that exist', async (_where, expression) => {
    const served = await servedNames();
    const names = metricsIn(expression);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !served.has(name))).toEqual([]);
    const ours = names.flatMap((name) => METRICS[name.replace(/_bucket$/, '')] ?? []);
    const known = new Set(['le', 'job', 'instance', ...ours.flatMap(({ labels }) => labels)]);
    expect(labelsIn(expression).filter((label) => !known.has(label))).toEqual([]);
  });

  it('would be caught with a metric or label that does not exist', () => {
    const wrong = 'sum by (shade) (rate(secretmigration_colors_total{tint="x"}[5m]))';
    expect(metricsIn(wrong)).toEqual(['secretmigration_colors_total']);
    expect(labelsIn(wrong)).toEqual(['tint', 'shade']);
  });
});
