import { expect, it } from 'vitest';
import { ManualClock } from '#test/support/manual-clock.ts';
import { SlowServers } from './slow-servers.ts';

const server = { tenant: 'ns', server: 'https://silent' };

it('lets a server that kept a worker be asked again after growing pauses, until it answers', async () => {
  const clock = new ManualClock();
  const servers = new SlowServers(clock);
  const pauses: number[] = [];
  for (let failure = 0; failure < 8; failure += 1) {
    servers.failed(server, 10_000);
    pauses.push(servers.pauseMs(server));
    await clock.advance(servers.pauseMs(server));
  }
  expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  expect(servers.pauseMs(server)).toBe(0);
  servers.answered(server);
  servers.failed(server, 10_000);
  expect(servers.pauseMs(server)).toBe(5_000);
});

it('lets a server that has worked be asked within the given time', async () => {
  const clock = new ManualClock();
  const servers = new SlowServers(clock);
  for (let failure = 0; failure < 8; failure += 1) servers.failed(server, 10_000);
  expect(servers.pauseMs(server, 60_000)).toBe(60_000);
  await clock.advance(60_000);
  expect([servers.pauseMs(server, 60_000), servers.pauseMs(server)]).toEqual([0, 240_000]);
});

it('does not count a failure that came at once', () => {
  const servers = new SlowServers(new ManualClock());
  servers.failed(server, 200);
  expect(servers.pauseMs(server)).toBe(0);
});

it('believes each tenant for itself only', () => {
  const servers = new SlowServers(new ManualClock());
  servers.failed(server, 10_000);
  expect(servers.pauseMs({ ...server, tenant: 'victim' })).toBe(0);
});
