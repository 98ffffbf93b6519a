import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthority, issueCertificate, type PemPair } from '#test/cluster/pki.ts';
import { eventually } from '#test/support/eventually.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { openMetricsServer, type TelemetryServer } from './server.ts';
import type { Verdict } from './token-gate.ts';

const SERVER = { commonName: 'metrics', dnsNames: ['localhost'], usages: ['server' as const] };
const LOGGER = { debug() {}, info() {}, warn() {}, error() {}, child: () => LOGGER };

let folder: string;
let authority: PemPair;
let clock: ManualClock;
let opened: TelemetryServer | undefined;
/** The tokens that were reviewed, in order. */
let reviewed: string[];
let verdictOf: (token: string) => Verdict | Promise<Verdict>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyferry-metrics-'));
  authority = await createAuthority('ca');
  await install(await issueCertificate(authority, SERVER));
  clock = new ManualClock();
  reviewed = [];
  verdictOf = (token) =>
    token === 'scraper' ? 'allowed' : token === 'other' ? 'forbidden' : 'unauthenticated';
});
afterEach(async () => {
  await opened?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function install({ certificate, key }: PemPair): Promise<void> {
  await writeFile(join(folder, 'tls.crt'), certificate);
  await writeFile(join(folder, 'tls.key'), key);
}

async function open(): Promise<TelemetryServer> {
  const review = async (token: string): Promise<Verdict> => {
    reviewed.push(token);
    return verdictOf(token);
  };
  const files = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  const exposition = () => Promise.resolve({ contentType: 'text/plain', body: 'up 1\n' });
  opened = await openMetricsServer({
    bindAddress: '127.0.0.1:0',
    clock,
    exposition,
    secure: { files, review, logger: LOGGER },
  });
  return opened;
}

/** Status of a scrape that trusts only this authority. */
async function scrape(server: TelemetryServer, token?: string, ca = authority): Promise<number> {
  const agent = new Agent({ connect: { ca: ca.certificate, servername: 'localhost' } });
  try {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const url = `https://127.0.0.1:${server.port}/metrics`;
    const reply = await request(url, { headers, dispatcher: agent });
    await reply.body.dump();
    return reply.statusCode;
  } finally {
    await agent.destroy();
  }
}

describe('metrics with --metrics-secure', () => {
  it('go to a token with the right, over TLS: 401 without one, 403 without the right', async () => {
    const server = await open();
    expect(await scrape(server, 'scraper')).toBe(200);
    expect(await scrape(server, 'other')).toBe(403);
    expect(await scrape(server, 'forged')).toBe(401);
    expect(await scrape(server)).toBe(401);
    expect(await scrape(server, 'x'.repeat(9000))).toBe(401);
    await expect(fetch(`http://127.0.0.1:${server.port}/metrics`)).rejects.toThrow();
    expect(reviewed).toEqual(['scraper', 'other', 'forged']);
  });

  it('keep a verdict for a minute, and a refusal for ten seconds', async () => {
    const server = await open();
    const both = async (): Promise<number[]> => [
      await scrape(server, 'scraper'),
      await scrape(server, 'other'),
    ];
    await both();
    await clock.advance(9_999);
    expect(await both()).toEqual([200, 403]);
    expect(reviewed).toEqual(['scraper', 'other']);
    verdictOf = () => 'forbidden';
    await clock.advance(1);
    await both();
    expect(reviewed).toEqual(['scraper', 'other', 'other']);
    await clock.advance(50_000);
    expect(await both()).toEqual([403, 403]);
  });

  it('answer 500 while the API server does not say, and ask again', async () => {
    const server = await open();
    verdictOf = () => Promise.reject(new Error('down'));
    expect(await scrape(server, 'scraper')).toBe(500);
    verdictOf = () => 'allowed';
    expect(await scrape(server, 'scraper')).toBe(200);
  });

  it('have one review at a time for each client, which does not hold known tokens up', async () => {
    const server = await open();
    await scrape(server, 'scraper');
    const slow = Promise.withResolvers<Verdict>();
    verdictOf = () => slow.promise;
    const first = scrape(server, 'flood-1');
    await eventually('the first is reviewed', () => Promise.resolve(reviewed.includes('flood-1')));
    expect(await scrape(server, 'flood-2')).toBe(429);
    expect(await scrape(server, 'scraper')).toBe(200);
    slow.resolve('unauthenticated');
    expect(await first).toBe(401);
    expect(reviewed).not.toContain('flood-2');
  });

  it('take a new certificate from the files, and keep the last one while these are not a pair', async () => {
    const server = await open();
    await writeFile(join(folder, 'tls.crt'), 'half');
    await clock.advance(10_000);
    expect(await scrape(server, 'scraper')).toBe(200);
    const next = await createAuthority('next');
    await install(await issueCertificate(next, SERVER));
    await clock.advance(10_000);
    const isNew = async (): Promise<boolean> =>
      (await scrape(server, 'scraper', next).catch(() => 0)) === 200;
    await eventually('the new certificate is used', isNew);
    await expect(scrape(server, 'scraper')).rejects.toThrow();
  });

  it('are not served with files that are not a certificate and its key', async () => {
    await writeFile(join(folder, 'tls.key'), 'none');
    await expect(open()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
