import { describe, it } from 'vitest';
import { aMigration, anOpenBaoBackend } from '#test/builders/objects.ts';
import { eventually } from '#test/support/eventually.ts';
import { kvPut, pathOf } from '#test/support/queries.ts';
import { useArena } from './arena.ts';
import type { Attack } from './attack.ts';
import type { Endpoint, HostileServer } from './hostile-server.ts';
import {
  BOMBS,
  drip,
  gzipBomb,
  manyFolders,
  risingNames,
  sendBytes,
  shortBody,
  silence,
} from './misbehaviors.ts';

/*
 * A tenant chooses the address of a server, so a server that means harm is a normal case. Each attack of this file
 * keeps the operator busy, fills its memory or lets it wait; a victim of another namespace must not notice.
 */

const arena = useArena();

/** A tenant whose server misbehaves at one endpoint, and what makes the operator ask there. */
async function lure(attack: Attack, server: HostileServer, migrations = 1): Promise<void> {
  const tenant = await attack.tenant(server);
  await kvPut(tenant, pathOf(tenant, 'document'), { key: 'of no worth' });
  for (let index = 0; index < migrations; index += 1) {
    await tenant.apply(aMigration(`lure-${index}`, { from: 'bao', to: 'kubernetes', select: { all: true } }));
  }
}

describe('a reply of 31 MiB', () => {
  it.each<Endpoint>(['health', 'lookup', 'mounts', 'capabilities', 'config', 'list', 'read'])(
    'of small objects from %s does not end the operator',
    async (endpoint) => {
      await arena().survives(async (attack) => {
        const server = await attack.server();
        server.on(endpoint, sendBytes(BOMBS['small objects']()));
        await lure(attack, server);
        await server.untilHit();
      });
    },
  );

  it('of any other shape does not end the operator, from six servers at once', async () => {
    await arena().survives(async (attack) => {
      const {
        'short strings': short,
        'deep nesting': deep,
        'one string': long,
        'many members': many,
      } = BOMBS;
      const shapes = [short, deep, long, many].map((shape) => sendBytes(shape()));
      for (const behavior of [...shapes, gzipBomb(), shortBody]) {
        const server = await attack.server();
        server.on(['health', 'list'], behavior);
        await lure(attack, server);
        await server.untilHit();
      }
    });
  });
});

describe('a listing without an end', () => {
  it('of names that rise forever ends in SelectionTooLarge', async () => {
    await arena().survives(
      async (attack) => {
        const server = await attack.server();
        server.on('list', risingNames);
        await lure(attack, server);
        await server.untilHit();
      },
      async ({ tenants: [tenant] }) => {
        await tenant?.untilReady('lure-0', { status: 'False', reason: 'SelectionTooLarge' }, 30_000);
      },
    );
  });

  it('of a thousand folders in each folder, sixteen deep, ends in SelectionTooLarge', async () => {
    await arena().survives(
      async (attack) => {
        const server = await attack.server();
        server.on('list', manyFolders);
        await lure(attack, server);
        await server.untilHit();
      },
      async ({ tenants: [tenant] }) => {
        await tenant?.untilReady('lure-0', { status: 'False', reason: 'SelectionTooLarge' }, 30_000);
      },
    );
  });
});

describe('a slow server', () => {
  it.each([
    ['never replies', 'list', silence],
    ['sends one byte a second', 'list', drip],
    ['never replies', 'read', silence],
    ['sends one byte a second', 'read', drip],
  ] as const)(
    'that %s to %s does not keep all workers with four migrations',
    async (_how, endpoint, slow) => {
      await arena().survives(async (attack) => {
        const server = await attack.server();
        server.on(endpoint, slow);
        await lure(attack, server, 4);
        await server.untilHit();
      });
    },
  );

  it('in forty backends does not delay the probe of another backend', async () => {
    await arena().survives(async (attack) => {
      const server = await attack.server();
      server.on('health', silence);
      await fortyBackends(attack, server.url);
      await server.untilHit();
    });
  });

  it('in forty backends that does not even speak TLS does not delay it either', async () => {
    await arena().survives(async (attack) => {
      const server = await attack.mute();
      await fortyBackends(attack, server.url);
      await eventually('it was connected', () => server.connections() > 0);
    });
  });
});

async function fortyBackends(attack: Attack, address: string): Promise<void> {
  const tenant = await attack.tenant();
  const { mount, cluster } = tenant;
  const backends = Array.from({ length: 40 }, (_, index) =>
    anOpenBaoBackend({ name: `silent-${index}`, address, mount, caBundle: cluster.baoCaPem }),
  );
  await Promise.all(backends.map(async (backend) => tenant.apply(backend)));
}
