import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** vitest's global setup: the operator as it ships. Each file starts a cluster of its own. */
export function setup(): void {
  execFileSync('make', ['build'], { cwd: join(import.meta.dirname, '..', '..'), stdio: 'inherit' });
}
