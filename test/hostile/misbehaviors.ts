import { gzipSync } from 'node:zlib';
import { parseJson } from '#src/json/parse.ts';
import type { Misbehavior, Received } from './hostile-server.ts';

/*
 * What a server can do to its client instead of answering as OpenBao does.
 */

const MIB = 1024 * 1024;
const JSON_TYPE = { 'content-type': 'application/json' };

/** Below the 32 MiB that a client of this kind could reasonably accept. */
const BOMB_BYTES = 31 * MIB;

function filled(prefix: string, unit: string, suffix: string): Buffer {
  const room = BOMB_BYTES - prefix.length - suffix.length;
  const body = Buffer.alloc(Math.floor(room / unit.length) * unit.length, unit);
  return Buffer.concat([Buffer.from(prefix), body, Buffer.from(suffix)]);
}

/** A body of 31 MiB by its shape. Parsed, the small objects take twenty times their bytes. */
export const BOMBS = {
  'small objects': () => filled('{"data":{"keys":[', '{},', '{}]}}'),
  'short strings': () => filled('{"data":{"keys":[', '"a",', '"a"]}}'),
  'deep nesting': () => {
    const depth = BOMB_BYTES / 2;
    return Buffer.concat([Buffer.alloc(depth, '['), Buffer.alloc(depth, ']')]);
  },
  'one string': () => filled('{"errors":["', 'a', '"]}'),
  'many members': () =>
    Buffer.from(`{"data":{${Array.from({ length: 2 * MIB }, (_, index) => `"${index}":0`).join(',')}}}`),
} as const;

/** Replies with exactly these bytes. */
export function sendBytes(
  body: Buffer,
  { status = 200, headers = JSON_TYPE }: { status?: number; headers?: Readonly<Record<string, string>> } = {},
): Misbehavior {
  return ({ response }) => {
    response.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
  };
}

/** A small body that says it is gzip and becomes 64 MiB; the client has not asked for it. */
export function gzipBomb(): Misbehavior {
  const body = gzipSync(Buffer.alloc(64 * MIB, ' '));
  return sendBytes(body, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } });
}

/** Says that more follows, and sends no more. */
export const shortBody: Misbehavior = ({ response }) => {
  response.writeHead(200, { ...JSON_TYPE, 'content-length': 1_000_000 }).write('{"data":{');
};

/** Accepts the request and never replies. */
export const silence: Misbehavior = () => undefined;

/** The reply of the real server, one byte a second. */
export const drip: Misbehavior = async ({ response, ask }) => {
  const { status, headers, body } = await ask();
  response.writeHead(status, headers);
  let sent = 0;
  const timer = setInterval(() => {
    response.write(body.subarray(sent, sent + 1));
    sent += 1;
    if (sent >= body.length) clearInterval(timer);
  }, 1000);
  response.once('close', () => clearInterval(timer));
};

/** Everything that the client sent, its token included, as the text of an error. */
export function echo(status: number): Misbehavior {
  return ({ received, response }) => {
    const said = textOf(received);
    const errors = { errors: [said, ...Object.values(received.headers).map(String)] };
    response
      .writeHead(status, { ...JSON_TYPE, 'x-echo': encodeURIComponent(said).slice(0, 4000) })
      .end(JSON.stringify(errors));
  };
}

function textOf({ method, url, headers, body }: Received): string {
  return `${method} ${url} ${JSON.stringify(headers)} ${body.toString('utf8')}`;
}

export function redirect(to: (received: Received) => string, status = 307): Misbehavior {
  return ({ received, response }) => {
    response.writeHead(status, { location: to(received) }).end();
  };
}

/** The real reply with other headers. */
export function withHeaders(headers: Readonly<Record<string, string>>, status?: number): Misbehavior {
  return async ({ response, ask }) => {
    const reply = await ask();
    response.writeHead(status ?? reply.status, { ...reply.headers, ...headers }).end(reply.body);
  };
}

/** The real reply, changed. */
export function changed(change: (body: unknown) => unknown): Misbehavior {
  return async ({ response, ask }) => {
    const reply = await ask();
    const text = reply.body.toString('utf8');
    const body = Buffer.from(text === '' ? '' : JSON.stringify(change(parseJson(text))));
    response.writeHead(reply.status, { ...reply.headers, 'content-length': body.length }).end(body);
  };
}

/** A JSON document with other leaves. */
export function withLeaves(body: unknown, change: (leaf: unknown) => unknown): unknown {
  if (Array.isArray(body)) return body.map((member) => withLeaves(member, change));
  if (typeof body !== 'object' || body === null) return change(body);
  return Object.fromEntries(Object.entries(body).map(([key, member]) => [key, withLeaves(member, change)]));
}

/** Names that rise forever: whatever page is asked for, another full one follows. */
export const risingNames: Misbehavior = ({ received, response }) => {
  const after = new URL(received.url, 'https://hostile').searchParams.get('after') ?? '';
  const start = Number(/\d+$/.exec(after)?.[0] ?? -1) + 1;
  const keys = Array.from({ length: 1000 }, (_, index) => `n${String(start + index).padStart(12, '0')}`);
  response.writeHead(200, JSON_TYPE).end(JSON.stringify({ data: { keys } }));
};

/** A thousand folders in every folder, down to a depth that no walk ever reaches the end of. */
export const manyFolders: Misbehavior = ({ received, response }) => {
  const { pathname, searchParams } = new URL(received.url, 'https://hostile');
  const isDeepest = pathname.split('/').length > 4 + 16;
  const isLastPage = (searchParams.get('after') ?? '') !== '';
  const keys = Array.from({ length: 1000 }, (_, index) => {
    const name = `f${String(index).padStart(4, '0')}`;
    return isDeepest ? name : `${name}/`;
  });
  response.writeHead(200, JSON_TYPE).end(JSON.stringify({ data: { keys: isLastPage ? [] : keys } }));
};
