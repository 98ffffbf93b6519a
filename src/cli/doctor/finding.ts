import type { UserCluster } from '../cluster.ts';
import type { Clock } from '#src/ports.ts';

/** `skipped`: the user has no right to look. */
export type Level = 'ok' | 'warning' | 'problem' | 'skipped';

/** One line of `doctor`. */
export interface Finding {
  readonly level: Level;
  /** What was looked at: `operator`, `backends`, … */
  readonly check: string;
  /** What was found: whole sentences. */
  readonly found: string;
  /** A command that mends it, or that shows more. */
  readonly fix?: string;
}

/** What the checks work with. */
export interface Examined {
  readonly cluster: Pick<UserCluster, 'client' | 'namespace' | 'serverTime' | 'signal'>;
  /** Where the operator runs. */
  readonly operatorNamespace: string;
  /** Of this program. */
  readonly version: string;
  readonly clock: Pick<Clock, 'now'>;
}

export type Check = (examined: Examined) => Promise<readonly Finding[]>;
