import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Pool } from 'undici';
import { checkedConnector } from './checked-connector.ts';
import { ConnectRules, type Resolve } from './connect-rules.ts';

/* The server is on 127.0.0.1, as what a tenant must not reach is. It counts its connections. */

let server: Server;
let port: number;
let connections = 0;

beforeAll(async () => {
  server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined);
    socket.once('data', () =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server on a port has one
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => server.close());

async function statusOf(host: string, rules: ConnectRules): Promise<number> {
  const pool = new Pool(`http://${host}:${port}`, { connect: checkedConnector(rules, { allowH2: false }) });
  try {
    const { statusCode, body } = await pool.request({ method: 'GET', path: '/' });
    await body.dump();
    return statusCode;
  } finally {
    await pool.destroy();
  }
}

/** One answer after the other; the last one stays. */
function inTurn(...turns: readonly (readonly string[])[]): {
  readonly resolve: Resolve;
  readonly asked: string[];
} {
  const asked: string[] = [];
  const resolve: Resolve = async (host) => {
    const turn = turns[Math.min(asked.push(host), turns.length) - 1] ?? [];
    return await Promise.resolve(turn.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
  };
  return { resolve, asked };
}

const none = { allowed: [], apiServers: [] };
const forbidden = { code: 'ADDRESS_FORBIDDEN', op: 'backend.connect' };

it('reaches an address that an administrator allows, as a number and by a name', async () => {
  const rules = new ConnectRules({ ...none, allowed: ['127.0.0.0/8'] });
  expect(await statusOf('127.0.0.1', rules)).toBe(200);
  const named = new ConnectRules({
    ...none,
    allowed: ['127.0.0.0/8'],
    resolve: inTurn(['127.0.0.1']).resolve,
  });
  expect(await statusOf('bao.example', named)).toBe(200);
});

it.each(['127.0.0.1', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', 'localhost'])(
  'sends nothing to %s, which is this machine',
  async (host) => {
    const before = connections;
    const target = new URL(`http://${host}:${port}`).origin;
    await expect(statusOf(host, new ConnectRules(none))).rejects.toMatchObject({ ...forbidden, target });
    expect(connections).toBe(before);
  },
);

it('does not say what a name stands for', async () => {
  const { resolve } = inTurn(['10.1.2.3', '169.254.169.254']);
  const failure: unknown = await statusOf('bao.example', new ConnectRules({ ...none, resolve })).catch(
    (thrown: unknown) => thrown,
  );
  expect(failure).toMatchObject(forbidden);
  expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('169.254');
});

it('connects to the address that it checked, whatever the name stands for a moment later', async () => {
  const { resolve, asked } = inTurn(['127.0.0.1'], ['10.255.255.1']);
  const rules = new ConnectRules({ ...none, allowed: ['127.0.0.1'], resolve });
  expect(await statusOf('rebinding.example', rules)).toBe(200);
  expect(asked).toEqual(['rebinding.example']);
});

it('checks the name again for each connection', async () => {
  const { resolve } = inTurn(['127.0.0.1'], ['127.0.0.2']);
  const rules = new ConnectRules({ ...none, allowed: ['127.0.0.1'], resolve });
  expect(await statusOf('rebinding.example', rules)).toBe(200);
  await expect(statusOf('rebinding.example', rules)).rejects.toMatchObject(forbidden);
});

it('checks the other end of the connection, before a request is sent', async () => {
  class Blind extends ConnectRules {
    override async addressesOf(): Promise<readonly { readonly address: string; readonly family: number }[]> {
      return await Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
    }
  }
  await expect(statusOf('127.0.0.1', new Blind(none))).rejects.toMatchObject(forbidden);
});

it('passes the error of the resolver on', async () => {
  const failure = Object.assign(new Error('no'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' });
  const resolve: Resolve = async () => await Promise.reject(failure);
  await expect(statusOf('bao.example', new ConnectRules({ ...none, resolve }))).rejects.toBe(failure);
});
