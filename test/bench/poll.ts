import { subscribe } from 'node:diagnostics_channel';
import type { Driver } from '#src/backends/driver.ts';
import { OpenBaoFactory } from '#src/backends/openbao/factory.ts';
import { OpenBaoSpecSchema } from '#src/backends/openbao/spec.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { mapConcurrently } from '#src/io/map-concurrently.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { startCluster } from '#test/cluster/cluster.ts';
import { collect } from '#test/support/collect.ts';
import { documentedPolicy } from '#test/support/documented-policy.ts';
import { OWN_MACHINE } from '#test/support/own-machine.ts';
import { median } from './statistics.ts';

/*
 * A poll of unchanged documents: their versions as `Reader.versions` tells them, beside a listing of the names alone and a
 * read of each. With the documented policy, and without the right to list versions. Compare the ratios.
 */

const COUNTS = (process.env['BENCH_DOCUMENTS'] ?? '1000,10000').split(',').map(Number);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);

await using cluster = await startCluster();
let requests = 0;
subscribe('undici:request:create', () => {
  requests += 1;
});

function driverFor(mount: string, token: string): Driver {
  const factory = new OpenBaoFactory({
    credentialsFor: () => ({
      readSecretKey: async () => Promise.resolve(SecretValue.fromUtf8(token)),
      requestToken: async () => Promise.reject(new Error('not asked for')),
      login: async (_path, next) => next(),
    }),
    connectRules: OWN_MACHINE,
    mandate: ALWAYS_HELD,
    clock: systemClock,
    random: Math.random,
    userAgent: 'keyferry/bench',
    allowInsecureHttp: false,
  });
  const openbao = OpenBaoSpecSchema.parse({
    address: cluster.baoUrl,
    mount,
    auth: { token: { secretRef: { name: 'token', key: 'token' } } },
    caBundle: cluster.baoCaPem,
  });
  return factory.create({
    title: 'SecretBackend bench/bao',
    backend: { kind: 'SecretBackend', namespace: 'bench', name: 'bao' },
    spec: { type: 'openbao', openbao },
    credentialsNamespace: 'bench',
    tenant: 'bench',
  });
}

/** Requests of one call, and the median of its milliseconds. */
async function measured(
  work: () => Promise<unknown>,
): Promise<{ readonly requests: number; readonly ms: number }> {
  const times: number[] = [];
  let before = requests;
  for (let round = 0; round < ROUNDS; round += 1) {
    before = requests;
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  return { requests: requests - before, ms: median(times) };
}

const { signal } = new AbortController();
console.log(`${cluster.isOpenBao ? 'OpenBao' : 'Vault'}, median of ${ROUNDS}`);
for (const count of COUNTS) {
  const mount = await cluster.createMount('poll');
  const names = Array.from({ length: count }, (_, index) => `doc-${String(index).padStart(6, '0')}`);
  const write = (name: string): Promise<unknown> =>
    cluster.bao('POST', `${mount}/data/${name}`, { data: { password: name.padEnd(64, 'p') } });
  await collect(mapConcurrently(names, 32, write));
  const policy = documentedPolicy(mount);
  const without = policy.replace(/^.*detailed-metadata.*$/m, '');
  await using driver = driverFor(mount, await cluster.createToken(policy));
  await using lesser = driverFor(mount, await cluster.createToken(without));
  const read = await measured(async () => collect(driver.readMany(names, signal)));
  for (const [what, work] of [
    ['versions', async () => collect(driver.versions({ folder: '' }, signal))],
    ['versions, no detailed-metadata', async () => collect(lesser.versions({ folder: '' }, signal))],
    ['names', async () => collect(driver.list({ folder: '' }, signal))],
  ] as const) {
    const poll = await measured(work);
    console.log(
      `${String(count).padStart(6)} documents  ${what.padEnd(32)} ${String(poll.requests).padStart(6)} requests ` +
        `${poll.ms.toFixed(0).padStart(6)} ms, of a read of each: ${(poll.ms / read.ms).toFixed(3)}`,
    );
  }
  console.log(
    `${String(count).padStart(6)} documents  ${'a read of each'.padEnd(32)} ${String(read.requests).padStart(6)} requests ${read.ms.toFixed(0).padStart(6)} ms`,
  );
}
