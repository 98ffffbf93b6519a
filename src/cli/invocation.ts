import type { Clock } from '#src/ports.ts';
import type { Output, Streams } from './output.ts';

/** Flags of every command. */
export interface GlobalFlags {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
}

/** What a command works with. Tests give their own. */
export interface Invocation {
  readonly flags: GlobalFlags;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly streams: Streams;
  readonly output: Output;
  readonly clock: Clock;
  readonly version: string;
  /** Aborts when the person presses Ctrl-C. */
  readonly signal: AbortSignal;
}
