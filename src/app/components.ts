import { whenAborted } from '#src/io/abort.ts';
import type { KubeObject } from '#src/kube/client.ts';
import type { Logger } from '#src/ports.ts';
import type { Watched } from '#src/runtime/informer.ts';
import type { Component } from '#src/runtime/manager.ts';
import type { TelemetryServer } from '#src/telemetry/server.ts';

/** A component that is `run` until its signal aborts; ready at once, or when `ready` resolves. */
export function loop(
  name: string,
  run: (signal: AbortSignal) => Promise<void>,
  ready?: Promise<void>,
): Component {
  return {
    name,
    start: async (signal) => {
      const done = run(signal);
      if (ready !== undefined) await Promise.race([ready, done]);
      return { done };
    },
  };
}

/** The caches, which fill side by side; ready when each has its first list. */
export function filled(caches: readonly Pick<Watched<KubeObject>, 'run' | 'synced'>[]): Component {
  const run = async (signal: AbortSignal): Promise<void> => {
    await Promise.all(caches.map(async (cache) => cache.run(signal)));
  };
  return loop(
    'caches',
    run,
    Promise.all(caches.map(async ({ synced }) => synced)).then(() => undefined),
  );
}

/** A server that is open until its component stops. */
export function served(name: string, logger: Logger, open: () => Promise<TelemetryServer>): Component {
  return {
    name,
    start: async (signal) => {
      const server = await open();
      logger.info('listening', { server: name, host: server.host, port: server.port });
      return { done: whenAborted(signal).then(async () => server[Symbol.asyncDispose]()) };
    },
  };
}
