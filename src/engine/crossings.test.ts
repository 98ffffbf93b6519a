import { expect, it } from 'vitest';
import { keyOf, LiveMigrations } from './crossings.ts';

const secret = keyOf({ store: 'kubernetes uid team', path: 'database' });
const file = keyOf({ store: 'directory 1:2', path: 'team/token' });
const path = keyOf({ store: 'openbao cluster mount', path: 'team/database' });
const other = keyOf({ store: 'openbao cluster mount', path: 'shared/database' });

async function locksTaken(keys: readonly string[]): Promise<string> {
  const taken: string[] = [];
  const { locks } = new LiveMigrations({
    run: async (task) => {
      taken.push('all processes');
      return task();
    },
  });
  await locks.runAll(keys, async () => taken.push('task'));
  return taken.join(', ');
}

it('locks the removals of other processes out between two stores that every namespace can reach, and only there', async () => {
  expect(await locksTaken([path, other])).toBe('all processes, task');
  expect(await locksTaken([secret, path])).toBe('task');
  expect(await locksTaken([path, file])).toBe('task');
  expect(await locksTaken([secret, secret])).toBe('task');
});
