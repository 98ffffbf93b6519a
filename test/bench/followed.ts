import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Followed } from '#src/controllers/sync/followed.ts';
import type { Outcome } from '#src/core/outcome.ts';
import { aFollowed, type FollowedSpec } from '#test/support/followed.ts';

/*
 * The heap that one followed document takes, for 10,000 of them: names, uids and times as the real stores have them. Issue 14
 * allows 300 bytes.
 */

const DOCUMENTS = Number(process.env['BENCH_DOCUMENTS'] ?? 10_000);

setFlagsFromString('--expose-gc');
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the flag above makes it
const collectGarbage = runInNewContext('gc') as () => void;

function heapUsed(): number {
  for (let round = 0; round < 4; round += 1) collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** As a pass reads them from the replies of the servers: texts that share no memory. */
function outcomesAt(pathOf: (name: string) => string): readonly Outcome[] {
  const outcomes = Array.from({ length: DOCUMENTS }, (_, index): Outcome => {
    const name = `payments-service-${index}`;
    const createdTime = `2026-11-27T18:53:54.${String(100_000_000 + index)}Z`;
    return {
      name,
      keys: ['username', 'password'],
      state: 'Verified',
      source: { version: String(48_000_000 + index), identity: randomUUID() },
      destination: { path: pathOf(name), version: '12', identity: createdTime },
    };
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same JSON
  return JSON.parse(JSON.stringify(outcomes)) as readonly Outcome[];
}

/** A function of its own: the frame of its caller would keep the outcomes. */
function fill(followed: Followed, pathOf: (name: string) => string): void {
  followed.remember(outcomesAt(pathOf), 'all');
}

function bytesPerDocument(pathOf: (name: string) => string, ...ends: Parameters<typeof aFollowed>): number {
  const { followed } = aFollowed(...ends);
  const before = heapUsed();
  fill(followed, pathOf);
  const after = heapUsed();
  if (followed.size !== DOCUMENTS) throw new Error(`${followed.size} documents are followed`);
  return Math.ceil((after - before) / DOCUMENTS);
}

const renamed: FollowedSpec = {
  mapping: { path: '{namespace}/{name}', prefixes: [{ from: 'payments-', to: 'team-', stripPrefix: true }] },
};
// Compiled before it is measured.
bytesPerDocument((name) => `ns/${name}`);
console.log(`bytes of heap for each of ${DOCUMENTS} followed documents`);
console.log(`  the address tells the name: ${bytesPerDocument((name) => `ns/${name}`)}`);
console.log(
  `  renamed by a rule:          ${bytesPerDocument((name) => `ns/${name.replace('payments', 'team')}`, renamed)}`,
);
