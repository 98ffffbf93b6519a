import { createConnection, createServer, type NetConnectOpts } from 'node:net';
import { pipeline } from 'node:stream';

/**
 * The process that hands TCP connections on: `node forward.ts <listen> <target>`, each `address:port` or the path of a
 * socket. A pair of them, one on either side of a socket file, leads out of the node's network namespace to the
 * apiserver, which listens on the machine's loopback address only.
 */
const [listen = '', target = ''] = process.argv.slice(2);

function placeOf(text: string): NetConnectOpts {
  if (text.startsWith('/')) return { path: text };
  const [host = '', port = ''] = text.split(':');
  return { host, port: Number(port) };
}

createServer((client) => {
  const server = createConnection(placeOf(target));
  // Either side may break off at any time; the other is then closed, which is all there is to do.
  pipeline(client, server, client, () => undefined);
}).listen(placeOf(listen));
