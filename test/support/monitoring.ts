import { z } from 'zod';

/** The parts of a rule file of Prometheus that tests read. */
export const RulesSchema = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          for: z.string(),
          labels: z.object({ severity: z.enum(['critical', 'warning']) }),
          annotations: z.object({ summary: z.string(), description: z.string(), runbook_url: z.string() }),
        }),
      ),
    }),
  ),
});

/** The parts of a Grafana dashboard that tests read. */
export const DashboardSchema = z.object({
  panels: z.array(
    z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })).optional() }),
  ),
});

/** Every expression of the dashboard with the title of its panel. */
export function dashboardExpressions({
  panels,
}: z.infer<typeof DashboardSchema>): readonly (readonly [panel: string, expression: string])[] {
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const));
}
