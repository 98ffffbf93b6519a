import { describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { aTextCanary } from '#test/support/canary.ts';
import { kvPut, pathOf } from '#test/support/queries.ts';
import { useArena } from './arena.ts';
import type { Attack } from './attack.ts';
import { ENDPOINTS, type Endpoint, type HostileServer, type Misbehavior } from './hostile-server.ts';
import { changed, echo, withLeaves, redirect, withHeaders } from './misbehaviors.ts';

/*
 * Servers that answer, and mean to be believed, repeated or followed. The verdict of each attack searches log, metrics,
 * status and events for the values of attacker and victim.
 */

const arena = useArena();

/** Both directions through one hostile server, so that every endpoint is asked. */
async function lure(attack: Attack, server: HostileServer): Promise<void> {
  const tenant = await attack.tenant(server);
  const value = aTextCanary(`the value of ${tenant.namespace}`);
  attack.canaries.push(value);
  await kvPut(tenant, pathOf(tenant, 'document'), { key: value.bytes.toString('utf8') });
  await tenant.apply(aSecret('secret', { key: value.bytes }));
  await tenant.apply(aMigration('there', { select: { names: ['secret'] } }));
  await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', select: { all: true } }));
}

/** One server for each endpoint: behind the first failure, the operator would not ask for the next. */
async function lureAtEach(
  attack: Attack,
  endpoints: readonly Endpoint[],
  misbehavior: Misbehavior,
): Promise<readonly HostileServer[]> {
  return await Promise.all(
    endpoints.map(async (endpoint) => {
      const server = await attack.server();
      server.on(endpoint, misbehavior);
      await lure(attack, server);
      await server.untilHit();
      return server;
    }),
  );
}

/** A token from a Secret needs no login, and only an overwrite asks for metadata. */
const ASKED = ENDPOINTS.filter((endpoint) => endpoint !== 'login' && endpoint !== 'metadata');

describe('a server that repeats what it got', () => {
  it.each([400, 403])('in the errors of a %d is not repeated anywhere', async (status) => {
    await arena().survives(async (attack) => {
      await lureAtEach(attack, ASKED, echo(status));
    });
  });
});

describe('a server that redirects', () => {
  it('to another server sends no request and no token there', async () => {
    let other: HostileServer | undefined;
    await arena().survives(
      async (attack) => {
        const elsewhere = await attack.server();
        other = elsewhere;
        await lureAtEach(attack, ['health', 'lookup', 'list', 'read', 'write'], (exchange) =>
          redirect(({ url }) => `${elsewhere.url}${url}`)(exchange),
        );
      },
      async () => {
        expect(other?.received).toEqual([]);
      },
    );
  });

  it('to itself or to a metadata address is not followed', async () => {
    await arena().survives(async (attack) => {
      const servers = await lureAtEach(
        attack,
        ['health'],
        redirect(({ url }) => url),
      );
      await lureAtEach(
        attack,
        ['lookup'],
        redirect(() => 'http://169.254.169.254/latest/meta-data/'),
      );
      // A few probes and migrations, not a loop.
      expect(servers[0]?.hits).toBeLessThan(50);
    });
  });
});

describe('a server that lies', () => {
  it.each([
    ['null', null],
    ['an object', {}],
    ['a huge number', 1e308],
    ['control characters', '\u0000\u001B[2J\r\n\u009B31m'],
    ['a long text', 'x'.repeat(100_000)],
  ])('with %s in every field is an error of its own backend', async (_what, leaf) => {
    await arena().survives(async (attack) => {
      await lureAtEach(
        attack,
        ASKED,
        changed((body) => withLeaves(body, () => leaf)),
      );
    });
  });

  it('with control characters at the end of every text does not write on a terminal', async () => {
    await arena().survives(async (attack) => {
      const nasty = (leaf: unknown): unknown =>
        typeof leaf === 'string' ? `${leaf}\u001B[2J\u009B31m` : leaf;
      await lureAtEach(
        attack,
        ASKED,
        changed((body) => withLeaves(body, nasty)),
      );
    });
  });

  it('about names, with control characters in them, does not write on a terminal', async () => {
    await arena().survives(async (attack) => {
      const keys = ['\u001B[2Jcleared', 'a\u0000b', 'two\r\nlines', '\u009B31m', '..', '../../x', '', 'ok'];
      const listing = changed(() => ({ data: { keys } }));
      await lureAtEach(attack, ['list'], listing);
    });
  });
});

describe('a clock or a patience that is not ours', () => {
  it.each([
    ['a Date ten years ahead', { date: 'Fri, 01 Jan 2038 00:00:00 GMT' }, undefined],
    ['a Date in 1980', { date: 'Tue, 01 Jan 1980 00:00:00 GMT' }, undefined],
    ['a Retry-After of 68 years with 429', { 'retry-after': '2147483648' }, 429],
    ['a Retry-After of 68 years with 503', { 'retry-after': '2147483648' }, 503],
  ] as const)('%s delays no other tenant', async (_what, headers, status) => {
    await arena().survives(async (attack) => {
      await lureAtEach(attack, ['lookup', 'list'], withHeaders(headers, status));
    });
  });

  it.each([
    ['zero', 0],
    ['35,000 years', 2 ** 40],
  ])('a token lifetime of %s makes no loop of logins', async (_what, ttl) => {
    let servers: readonly HostileServer[] = [];
    const said = { ttl, expire_time: '2038-01-01T00:00:00Z', renewable: true };
    await arena().survives(
      async (attack) => {
        const lying = changed((body) => ({ ...Object(body), data: said, auth: { lease_duration: ttl } }));
        servers = await lureAtEach(attack, ['lookup'], lying);
      },
      async () => {
        expect(servers[0]?.hits).toBeLessThan(50);
      },
    );
  });
});
