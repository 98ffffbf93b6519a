import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { HostileKv } from '#test/support/hostile-kv.ts';

const { signal } = new AbortController();
let server: HostileKv;

beforeAll(async () => (server = await HostileKv.start()));
beforeEach(() => server.reset());
afterAll(async () => server[Symbol.asyncDispose]());

describe('backends of one server', () => {
  it('share its connections, whatever namespaces they are of, and leave none open', async () => {
    const backends = Array.from({ length: 100 }, (_, index) =>
      server.factory.create(server.backendOf(`namespace-${index}`)),
    );
    for (const backend of backends) expect(await backend.read('a', signal)).toEqual({ state: 'absent' });
    expect([server.opened, await server.open()]).toEqual([1, 1]);
    for (const backend of backends) await backend[Symbol.asyncDispose]();
    await eventually('it is closed', async () => (await server.open()) === 0);
  });

  it('wait for no request of another one, in the same namespace or in another', async () => {
    server.reply = ({ pathname }) => (pathname.includes('hangs') ? () => undefined : undefined);
    await using slow = server.factory.create(server.backendOf('a'));
    const leaving = new AbortController();
    const hanging = Array.from({ length: 200 }, async () => slow.read('hangs', leaving.signal));
    const ends = Promise.allSettled(hanging);
    const held = (): number => server.seen.filter((path) => path.includes('hangs')).length;
    await eventually('many are not answered', () => held() >= 8);
    for (const namespace of ['a', 'b']) {
      await using other = server.factory.create(server.backendOf(namespace));
      expect(await other.read('a', signal)).toEqual({ state: 'absent' });
    }
    await expect(server.open()).resolves.toBeGreaterThan(8);
    leaving.abort(new Error('enough'));
    expect((await ends).every(({ status }) => status === 'rejected')).toBe(true);
  });
});
