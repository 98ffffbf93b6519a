import { once } from 'node:events';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range from which kernels take the local port of outgoing connections (32768 on Linux, 49152 elsewhere).
 * A port that the kernel itself picks (port 0) lies inside it, and while its server is killed any client on the machine
 * may be given it, so that the restart on the same port fails now and then.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;

/** `count` different loopback ports that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(LOWEST, HIGHEST);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

/** One such port. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('no free port');
  return port;
}

export async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  const listening = once(probe, 'listening').then(
    () => true,
    () => false,
  );
  probe.listen({ port, host: '127.0.0.1', exclusive: true });
  const free = await listening;
  if (free) {
    probe.close();
    await once(probe, 'close');
  }
  return free;
}
