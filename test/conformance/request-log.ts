import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { z } from 'zod';

/** A request as undici announces it, before anything is sent. */
export interface LoggedRequest {
  readonly origin: string;
  readonly method: string;
  readonly path: string;
}

const Announcement = z.object({
  request: z.object({ origin: z.coerce.string(), method: z.string(), path: z.string() }),
});

const CHANNEL = 'undici:request:create';

/**
 * The requests that undici creates for one origin while `during` runs: recorded below the drivers, so that none is
 * missed. `during` can wait for a request to appear in `seen`.
 */
export async function requestsTo(
  origin: string,
  during: (seen: readonly LoggedRequest[]) => Promise<unknown>,
): Promise<LoggedRequest[]> {
  const seen: LoggedRequest[] = [];
  const listener = (message: unknown): void => {
    const { request } = Announcement.parse(message);
    if (new URL(request.origin).origin === origin) seen.push({ ...request, origin });
  };
  subscribe(CHANNEL, listener);
  try {
    await during(seen);
  } finally {
    unsubscribe(CHANNEL, listener);
  }
  return seen;
}
