import type { Config } from '#src/config/schema.ts';
import type { Logger } from '#src/ports.ts';
import type { Component } from '#src/runtime/manager.ts';
import type { PrometheusMetrics } from '#src/telemetry/metrics.ts';
import {
  openHealthServer,
  openMetricsServer,
  type Checks,
  type TelemetryServer,
} from '#src/telemetry/server.ts';
import { served } from './components.ts';

export interface ServersOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly metrics: PrometheusMetrics;
  readonly live: Checks;
  readonly ready: Checks;
}

/** The servers of health and metrics, as components. */
export function createServers(options: ServersOptions): readonly Component[] {
  const { config, live, logger, metrics, ready } = options;
  const openHealth = async (): Promise<TelemetryServer> =>
    openHealthServer({ bindAddress: config.healthBindAddress, live, ready });
  const openMetrics = async (): Promise<TelemetryServer> =>
    openMetricsServer({
      bindAddress: config.metricsBindAddress,
      exposition: async () => metrics.exposition(),
    });
  return [served('health', logger, openHealth), served('metrics', logger, openMetrics)];
}
