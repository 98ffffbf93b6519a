import type { PriorRecord } from '#src/core/outcome.ts';
import { OperatorError } from '#src/errors.ts';
import { aWorld, runEngine, type EngineRun, type RunReport, type World } from './engine-run.ts';

/* A migration and its undo, between two stores in memory. */

export type Spec = NonNullable<EngineRun['spec']>;
export type More = Partial<Omit<EngineRun, keyof World | 'prior' | 'spec' | 'task'>>;

export const REMOVING: Spec = { sourcePolicy: 'Delete' };
/** The first run of a migration. */
export async function moved(world: World, spec: Spec = {}): Promise<readonly PriorRecord[]> {
  return (await runEngine({ ...world, spec, isFirstRun: true })).rows;
}

/** Takes it back. */
export async function undo(
  world: World,
  { prior, spec = {} }: { readonly prior: readonly PriorRecord[]; readonly spec?: Spec },
  more: More = {},
): Promise<RunReport> {
  return runEngine({ ...world, ...more, spec, prior, task: 'undo' });
}

/** From a tree that keeps revisions, such as KV, to a flat store, such as Secrets. */
export function toSecrets(): World {
  return aWorld({ addressing: 'tree' }, { addressing: 'flat' });
}

/** Ends a run as a kill does. */
export function dies(): never {
  throw new OperatorError('LEASE_LOST', { op: 'test' });
}
