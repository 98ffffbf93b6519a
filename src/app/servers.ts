import { join } from 'node:path';
import type { Config } from '#src/config/schema.ts';
import type { KubeClient } from '#src/kube/client.ts';
import type { Clock, Logger } from '#src/ports.ts';
import type { Component } from '#src/runtime/manager.ts';
import { reviewToken } from '#src/runtime/token-review.ts';
import type { PrometheusMetrics } from '#src/telemetry/metrics.ts';
import {
  openHealthServer,
  openMetricsServer,
  type Checks,
  type MetricsServerOptions,
  type TelemetryServer,
} from '#src/telemetry/server.ts';
import { served } from './components.ts';

export interface ServersOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: PrometheusMetrics;
  readonly live: Checks;
  readonly ready: Checks;
  /** A client of its own for the reviews of tokens: a client that sends many tokens cannot delay other requests, and any replica asks. */
  readonly openReviewClient: () => KubeClient;
}

/** The servers of health and metrics, as components. */
export function createServers(options: ServersOptions): readonly Component[] {
  const { config, live, logger, ready } = options;
  const openHealth = async (): Promise<TelemetryServer> =>
    openHealthServer({ bindAddress: config.healthBindAddress, live, ready });
  const openMetrics = async (): Promise<TelemetryServer> =>
    config.metricsSecure ? openSecureMetrics(options) : openMetricsServer(plainMetrics(options));
  return [served('health', logger, openHealth), served('metrics', logger, openMetrics)];
}

function plainMetrics({ config, clock, metrics }: ServersOptions): MetricsServerOptions {
  const byDefault = config.metricsSecure ? ':8443' : '127.0.0.1:8080';
  return {
    bindAddress: config.metricsBindAddress ?? byDefault,
    exposition: async () => metrics.exposition(),
    clock,
  };
}

async function openSecureMetrics(options: ServersOptions): Promise<TelemetryServer> {
  // loadConfig demands the folder.
  const { metricsCertPath: folder = '', metricsCertName, metricsCertKey } = options.config;
  const client = options.openReviewClient();
  const stop = new AbortController();
  try {
    const server = await openMetricsServer({
      ...plainMetrics(options),
      secure: {
        files: { certificate: join(folder, metricsCertName), key: join(folder, metricsCertKey) },
        review: async (token) => reviewToken(client, { token, path: '/metrics' }, stop.signal),
        logger: options.logger,
      },
    });
    const close = async (): Promise<void> => {
      stop.abort();
      await server[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    };
    return { host: server.host, port: server.port, [Symbol.asyncDispose]: close };
  } catch (failure) {
    await client[Symbol.asyncDispose]();
    throw failure;
  }
}
