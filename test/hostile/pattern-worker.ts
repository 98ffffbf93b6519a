import { workerData } from 'node:worker_threads';
import { z } from 'zod';
import { compileNamePattern } from '#src/core/mapping/name-pattern.ts';

/*
 * Matches names against patterns in a thread of its own: one that does not come back can be ended from outside.
 */

const Cases = z.array(z.object({ from: z.string(), to: z.string(), name: z.string() }));

for (const { from, to, name } of Cases.parse(workerData)) {
  try {
    const pattern = compileNamePattern(from, to, 'test');
    pattern.rename(name);
    pattern.isRenamed(name);
  } catch {
    // A pattern that is refused matches nothing.
  }
}
