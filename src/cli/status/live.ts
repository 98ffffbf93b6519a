import type { Clock } from '#src/ports.ts';
import { textOf } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import type { Choice } from '../list-objects.ts';
import { watchObjects, type Look } from '../watch-objects.ts';
import type { UserCluster } from '../cluster.ts';

/** What a live view does with what is seen. */
export interface View {
  /** Everything there is now, or a change. Not called for a lost connection. */
  see(look: Exclude<Look, { readonly kind: 'lost' }>): void;
  /** Draws what is known; called after each look and each second. `trouble`: why the connection is lost. */
  draw(trouble: string | undefined): void | Promise<void>;
  /** The exit code, once there is nothing more to wait for. */
  readonly exitCode: number | undefined;
  /** Leaves the terminal as it was. */
  end(): void;
}

/** As the shell reports a program that Ctrl-C ended, and so kubectl get -w. */
const EXIT_INTERRUPTED = 130;
/** Ages and times left move on without a change. */
const TICK_MS = 1000;

/** Follows the chosen migrations until the view is done or the person ends it. Resolves with the exit code. */
export async function follow(
  { clock, signal: interrupted }: Invocation,
  { client }: Pick<UserCluster, 'client'>,
  { choice, view }: { readonly choice: Choice; readonly view: View },
): Promise<number> {
  const stop = new AbortController();
  const signal = AbortSignal.any([interrupted, stop.signal]);
  const bell = new Bell();
  const known: Known = { trouble: undefined };
  const looking = lookOn(watchObjects({ client, choice, clock, signal }), { view, bell, known });
  try {
    while (!signal.aborted) {
      await Promise.race([bell.rung(clock, TICK_MS, signal), looking]);
      if (signal.aborted) break;
      await view.draw(known.trouble);
      if (view.exitCode !== undefined) return view.exitCode;
    }
    return EXIT_INTERRUPTED;
  } finally {
    view.end();
    stop.abort(new Error('the view ended'));
    await looking.catch(() => undefined); // Its failure was thrown by the race.
  }
}

interface Known {
  trouble: string | undefined;
}

async function lookOn(
  looks: AsyncIterable<Look>,
  { bell, known, view }: { readonly bell: Bell; readonly known: Known; readonly view: View },
): Promise<void> {
  for await (const look of looks) {
    known.trouble = look.kind === 'lost' ? textOf(look.failure) : undefined;
    if (look.kind !== 'lost') view.see(look);
    bell.ring();
  }
}

/** Wakes the loop that draws. */
class Bell {
  #next = Promise.withResolvers<void>();
  #isRung = false;

  ring(): void {
    this.#isRung = true;
    this.#next.resolve();
  }

  /** Resolves when it was rung since the last call, else after `ms`, or when the signal aborts. */
  async rung(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    const rest = new AbortController();
    try {
      if (this.#isRung) return;
      const sleep = clock.sleep(ms, AbortSignal.any([signal, rest.signal])).catch(() => undefined);
      await Promise.race([this.#next.promise, sleep]);
    } finally {
      rest.abort();
      this.#isRung = false;
      this.#next = Promise.withResolvers<void>();
    }
  }
}
