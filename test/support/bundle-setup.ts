import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** vitest's global setup for suites whose files start clusters of their own: the operator as it ships. */
export function setup(): void {
  execFileSync('make', ['build'], { cwd: join(import.meta.dirname, '..', '..'), stdio: 'inherit' });
}
