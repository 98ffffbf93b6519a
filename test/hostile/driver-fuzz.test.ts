import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver, ReadOutcome } from '#src/backends/driver.ts';
import { OpenBaoFactory } from '#src/backends/openbao/factory.ts';
import { OpenBaoSpecSchema } from '#src/backends/openbao/spec.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { permitted } from '#test/support/permit.ts';
import { OWN_MACHINE } from '#test/support/own-machine.ts';

/*
 * The driver against a server that says anything at all: a result or an OperatorError comes out, after few requests.
 * An exception of another kind would be a bug that a server can set off, and its text could quote what the server sent.
 */

/** One operation may ask so often, whatever the replies are. */
const MAX_REQUESTS = 100;

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** Replies in turn, the last one forever; only to paths that match, and the truth to all others. */
let script: { readonly replies: readonly Reply[]; readonly lies: RegExp } = { replies: [], lies: /./ };
let asked = 0;
let lied = 0;
let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    asked += 1;
    const reply = replyTo(request.url ?? '');
    if (reply === undefined || asked > MAX_REQUESTS) response.destroy();
    else response.writeHead(reply.status, reply.headers).end(reply.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

function replyTo(url: string): Reply | undefined {
  const { lies, replies } = script;
  if (!lies.test(url)) {
    const truth = TRUTH.find(([path]) => path.test(url))?.[1] ?? {};
    return { status: 200, headers: {}, body: JSON.stringify(truth) };
  }
  const reply = replies[Math.min(lied, replies.length - 1)];
  lied += 1;
  return reply;
}

/** Waits of the driver take no time. */
const clock = {
  ...systemClock,
  sleep: async (): Promise<void> => undefined,
  schedule: (ms: number, run: () => void) => systemClock.schedule(ms < 10_000 ? 0 : ms, run),
};

function openDriver(): Driver {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server does not listen');
  const factory = new OpenBaoFactory({
    credentialsFor: () => ({
      readSecretKey: async () => SecretValue.fromUtf8('a-token'),
      requestToken: async () => ({ token: SecretValue.fromUtf8('a-jwt'), expiresAt: Date.now() + 600_000 }),
      login: async (_path, next) => next(),
    }),
    connectRules: OWN_MACHINE,
    mandate: ALWAYS_HELD,
    clock,
    random: Math.random,
    userAgent: 'keyferry/test',
    allowInsecureHttp: true,
  });
  const openbao = OpenBaoSpecSchema.parse({
    address: `http://127.0.0.1:${address.port}`,
    mount: 'kv',
    auth: { token: { secretRef: { name: 'token' } } },
    requestTimeoutSeconds: 20,
  });
  return factory.create({
    title: 'SecretBackend fuzz/bao',
    backend: { kind: 'SecretBackend', namespace: 'n', name: 'bao' },
    spec: { type: 'openbao', openbao },
    credentialsNamespace: 'fuzz',
    tenant: 'fuzz',
  });
}

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  let count = 0;
  for await (const _item of items) {
    count += 1;
    if (count > 100_000) throw new Error('it does not end');
  }
}

/** The first error that is yielded counts as the outcome. */
async function readAll(outcomes: AsyncIterable<ReadOutcome>): Promise<void> {
  for await (const outcome of outcomes) {
    // oxlint-disable-next-line typescript/only-throw-error -- as it was yielded, whatever it is
    if ('error' in outcome) throw outcome.error;
  }
}

const OPERATIONS: Readonly<Record<string, (driver: Driver, signal: AbortSignal) => Promise<unknown>>> = {
  probe: async (driver, signal) => driver.probe(signal),
  list: async (driver, signal) => drain(driver.list({ folder: '' }, signal)),
  versions: async (driver, signal) => drain(driver.versions({ folder: '' }, signal)),
  read: async (driver, signal) => driver.read('a/b', signal),
  readMany: async (driver, signal) => readAll(driver.readMany(['a', 'b'], signal)),
  denied: async (driver, signal) => driver.denied([{ address: 'a', verbs: ['read'] }], signal),
  write: async (driver, signal) => {
    const fields = new Map([['key', SecretValue.fromUtf8('value')]]);
    return driver.write({ address: 'a', fields, attributes: {} }, 'absent', permitted(signal));
  },
  delete: async (driver, signal) =>
    driver.delete('a', { identity: '2026-01-01T00:00:00Z', revision: '1' }, permitted(signal)),
  undelete: async (driver, signal) =>
    driver.undelete?.('a', { identity: '2026-01-01T00:00:00Z', revision: '1' }, permitted(signal)),
};

/** Objects with the members that the driver reads, and anything in them. */
const MEMBERS = [
  'data',
  'auth',
  'keys',
  'key_info',
  'errors',
  'warnings',
  'metadata',
  'version',
  'versions',
  'created_time',
  'deletion_time',
  'custom_metadata',
  'current_version',
  'delete_version_after',
  'max_versions',
  'type',
  'accessor',
  'options',
  'path',
  'ttl',
  'expire_time',
  'num_uses',
  'renewable',
  'client_token',
  'lease_duration',
  'cluster_id',
  '__proto__',
  'constructor',
  'toString',
];

const json = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  object: fc.dictionary(fc.constantFrom(...MEMBERS), tie('value'), { maxKeys: 6 }),
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom<unknown[]>(
        null,
        true,
        '',
        0,
        -1,
        1,
        2,
        2 ** 53,
        1e308,
        '2',
        '0s',
        'kv',
        '..',
        'a/',
        '/',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.double({ noNaN: true }),
      fc.constant('2026-01-01T00:00:00.000000001Z'),
    ),
    tie('object'),
    fc.array(tie('value'), { maxLength: 4 }),
  ),
})).object;

const GOOD_VERSION = {
  version: 1,
  created_time: '2026-01-01T00:00:00Z',
  deletion_time: '',
  custom_metadata: null,
};

/** What a real server says, so that a lie can come after the truth. */
const TRUTH: readonly (readonly [path: RegExp, body: unknown])[] = [
  [/auth\/token/, { data: { ttl: 3600, expire_time: null, renewable: true } }],
  [/sys\/health/, { version: '2.6.0', cluster_id: 'c', initialized: true, sealed: false }],
  [/ui\/mounts/, { data: { type: 'kv', accessor: 'kv_1', options: { version: '2' }, path: 'kv/' } }],
  [/kv\/config/, { data: { delete_version_after: '0s', max_versions: 0, cas_required: false } }],
  [/capabilities/, { data: { 'kv/data/a': ['read', 'create', 'update'] } }],
  [/list=true&limit=1000$/, { data: { keys: ['a', 'b/'] } }],
  [/list=true/, { data: { keys: [] } }],
  [/kv\/data/, { data: { data: { key: 'value' }, metadata: GOOD_VERSION } }],
];

const lies = fc.constantFrom(/./, /kv\//, /kv\/data/, /kv\/metadata/, /sys/, /auth/);

const body = fc.oneof(
  { weight: 4, arbitrary: json.map((value) => JSON.stringify(value)) },
  { weight: 3, arbitrary: fc.constantFrom(...TRUTH).map(([, value]) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 1, arbitrary: fc.constantFrom('', '{', '[]', '[[[[', '"', 'null', '<html>', '\uFEFF{}') },
);

const headers = fc.constantFrom<Readonly<Record<string, string>>[]>(
  { 'content-type': 'application/json' },
  { 'content-type': 'text/html' },
  { date: 'never' },
  { date: 'Fri, 01 Jan 2038 00:00:00 GMT' },
  { 'content-encoding': 'gzip' },
  { location: 'http://169.254.169.254/' },
);

const reply: fc.Arbitrary<Reply> = fc.record({
  // Not 429: the driver waits for minutes before it gives up, which tests of its own cover.
  status: fc.oneof(
    { weight: 5, arbitrary: fc.constant(200) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(201, 204, 307, 400, 403, 404, 405, 412, 472, 500, 501, 502, 503),
    },
    { weight: 1, arbitrary: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 429) },
  ),
  headers,
  body,
});

async function outcomeOf(operate: () => Promise<unknown>): Promise<string> {
  try {
    await operate();
    return 'a result';
  } catch (error) {
    if (error instanceof OperatorError && error.code !== 'INVARIANT') return 'an OperatorError';
    return error instanceof Error ? `${error.name}: ${error.message}` : 'something that is not an error';
  }
}

describe('the OpenBao driver, whatever the server replies', () => {
  it.each(Object.keys(OPERATIONS))(
    'ends %s with a result or an OperatorError, after few requests',
    { timeout: 60_000 },
    async (name) => {
      const operate = OPERATIONS[name];
      if (operate === undefined) throw new Error('unknown operation');
      await fc.assert(
        fc.asyncProperty(lies, fc.array(reply, { minLength: 1, maxLength: 8 }), async (lies, replies) => {
          [script, asked, lied] = [{ replies, lies }, 0, 0];
          await using driver = openDriver();
          const outcome = await outcomeOf(async () => operate(driver, AbortSignal.timeout(20_000)));
          expect(['a result', 'an OperatorError']).toContain(outcome);
          expect(asked).toBeLessThanOrEqual(MAX_REQUESTS);
        }),
        { numRuns: 300 },
      );
    },
  );

  it('shows nothing of a reply in the text of an error', async () => {
    const planted = 'canary-0123456789';
    const talkative = fc.record({
      status: fc.constantFrom(200, 204, 301, 400, 403, 404, 412, 500, 503),
      headers,
      body: fc.constantFrom(
        JSON.stringify({ errors: [planted] }),
        JSON.stringify({ data: { keys: planted, [planted]: planted } }),
        JSON.stringify({ data: { data: { key: planted }, metadata: { version: planted } } }),
        `{"${planted}`,
        planted,
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(OPERATIONS)),
        fc.array(talkative, { minLength: 1, maxLength: 4 }),
        async (name, replies) => {
          [script, asked, lied] = [{ replies, lies: /kv\// }, 0, 0];
          await using driver = openDriver();
          const error = await OPERATIONS[name]?.(driver, AbortSignal.timeout(20_000)).catch(
            (thrown: unknown) => thrown,
          );
          if (!(error instanceof Error)) return;
          for (let current: unknown = error; current instanceof Error; current = current.cause) {
            expect(`${current.message} ${current.stack} ${JSON.stringify(current)}`).not.toContain(planted);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
