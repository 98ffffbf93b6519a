import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from '#test/support/manual-clock.ts';
import { Deadline } from './deadline.ts';
import { Turns } from './turns.ts';

/** A server with a quota, and what reached it, in order. */
function aServer(limit: number) {
  const clock = new ManualClock();
  const turns = new Turns({ clock, random: () => 0.5 });
  const log: string[] = [];
  let [window, left] = [-1, 0];
  const accepts = (): boolean => {
    const current = Math.floor(clock.monotonic() / 1_000);
    if (current !== window) [window, left] = [current, limit];
    left -= 1;
    return left >= 0;
  };
  const send = async (name: string, signal: AbortSignal): Promise<void> => {
    for (;;) {
      using turn = await turns.next(signal);
      await clock.sleep(2, signal);
      if (accepts()) {
        turn.accepted({});
        log.push(name);
        return;
      }
      turn.refused({});
    }
  };
  return { clock, turns, log, send };
}

const never = (): AbortSignal => new AbortController().signal;

describe('turns at a server with a quota', () => {
  it('let every request through, a refused one too', async () => {
    const { clock, log, send, turns } = aServer(5);
    const run = never();
    const sent = Promise.all(Array.from({ length: 30 }, (_, i) => send(`r${i}`, run)));
    await clock.advance(1.3 * 6_000);
    await sent;
    expect(new Set(log).size).toBe(30);
    expect(turns.perSecond).toBeGreaterThan(4);
    expect(turns.perSecond).toBeLessThan(6);
  });

  it('go to all runs alternately, however many requests one of them has', async () => {
    const { clock, log, send } = aServer(5);
    const [large, small] = [never(), never()];
    const all = Array.from({ length: 60 }, async () => send('large', large));
    await clock.advance(1_500);
    all.push(...Array.from({ length: 5 }, async () => send('small', small)));
    await clock.advance(2_600);
    expect(log.filter((name) => name === 'small')).toHaveLength(5);
    await clock.advance(14_000);
    await Promise.all(all);
  });

  it('stop waiting when the signal aborts', async () => {
    const { clock, send } = aServer(1);
    const controller = new AbortController();
    const sent = Promise.allSettled(Array.from({ length: 5 }, async () => send('r', controller.signal)));
    await clock.advance(100);
    controller.abort(new Error('stop'));
    const ended = await sent;
    expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(4);
    expect(clock.pending).toBe(0);
  });

  it('stop the time of every deadline while a request waits', async () => {
    const { clock, log, send } = aServer(1);
    using outer = new Deadline(clock, 3_000, never());
    using inner = new Deadline(clock, 2_000, outer.signal);
    const sent = Promise.all(Array.from({ length: 6 }, async () => send('r', inner.signal)));
    while (log.length < 6) await clock.advance(100);
    await sent;
    expect(clock.monotonic()).toBeGreaterThan(4_000);
    expect(inner.expired || outer.expired).toBe(false);
    await clock.advance(2_000);
    expect(inner.expired).toBe(true);
  });

  it('go on after a request that never got a reply', async () => {
    const { clock, turns, send } = aServer(5);
    const first = await turns.next(never());
    first.refused({});
    const lost = turns.next(never());
    await clock.advance(100);
    (await lost)[Symbol.dispose]();
    const sent = send('r', never());
    await clock.advance(200);
    await sent;
  });

  it('report a server that has accepted nothing for ten minutes', async () => {
    const { clock, send } = aServer(0);
    const sent = send('r', never()).catch((failure: unknown) => failure);
    await clock.advance(600_000 * 1.3);
    expect(await sent).toMatchObject({ code: 'RATE_LIMITED' });
    await settle();
  });
});
