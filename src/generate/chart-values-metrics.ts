import { z } from 'zod';
import { object, text, toggle } from './chart-value-types.ts';

const labels = () =>
  z.record(z.string(), z.string()).default({}).describe('Labels by which Prometheus finds it.');
const interval = () => text('30s', 'Time between two scrapes.');

/** `metrics` in values.yaml. */
export const chartOfMetrics = object(
  'Metrics name the migrations and backends of all namespaces; docs/metrics.md says who can get them.',
  {
    enabled: toggle(false, 'Serve metrics outside of the pod.'),
    port: z.int().min(1024).max(65_535).default(8443).describe('Port of /metrics.'),
    secure: toggle(true, 'Serve HTTPS, to clients whose token may get /metrics. Needs metrics.certSecret.'),
    certSecret: text(
      '',
      'Secret of type kubernetes.io/tls in the namespace of the release; its certificate is for <name>-metrics.<namespace>.svc.',
    ),
    readerSubjects: z
      .array(z.looseObject({}))
      .default([])
      .describe('Subjects that may get /metrics, such as the ServiceAccount of Prometheus.'),
    serviceMonitor: object('For the Prometheus operator; rendered only if the cluster has its API.', {
      enabled: toggle(false, 'Create a ServiceMonitor and its Service.'),
      interval: interval(),
      labels: labels(),
    }),
    podMonitor: object(
      'For the Prometheus operator, without metrics.secure; rendered only if the cluster has its API.',
      {
        enabled: toggle(false, 'Create a PodMonitor.'),
        interval: interval(),
        labels: labels(),
      },
    ),
    rules: object('Alerts as a PrometheusRule; rendered only if the cluster has its API.', {
      enabled: toggle(false, 'Create it.'),
      labels: labels(),
    }),
    dashboard: object('Dashboard as a ConfigMap for the sidecar of Grafana.', {
      enabled: toggle(false, 'Create it.'),
      labels: z
        .record(z.string(), z.string())
        .default({ grafana_dashboard: '1' })
        .describe('Labels of the ConfigMap.'),
    }),
  },
);
