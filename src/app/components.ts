import { whenAborted } from '#src/io/abort.ts';
import type { Logger } from '#src/ports.ts';
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
