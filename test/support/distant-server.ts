import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP port in front of a server that is far away: every byte takes its time in both directions, and TLS passes through. */
export interface DistantServer extends AsyncDisposable {
  /** Origin, as `https://127.0.0.1:<port>`. */
  readonly url: string;
}

/** `roundTripMs`: between a request and the reply of a server that needs no time itself. Bandwidth has no limit. */
export async function startDistantServer(target: string, roundTripMs: number): Promise<DistantServer> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true });
    delay(client, upstream, roundTripMs / 2);
    delay(upstream, client, roundTripMs / 2);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the port does not listen');
  return {
    url: `https://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Timers of one length fire in the order in which they were set: bytes stay in order. */
function delay(from: Socket, to: Socket, ms: number): void {
  from.on('data', (bytes) => setTimeout(() => to.write(bytes), ms));
  from.on('end', () => setTimeout(() => to.end(), ms));
  from.on('error', () => to.destroy());
}
