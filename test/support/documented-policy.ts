import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DOCUMENT = join(import.meta.dirname, '..', '..', 'docs', 'openbao-policy.md');

/** The policy from docs/openbao-policy.md for this mount, so that the tests use the documented policy. */
export function documentedPolicy(mount: string, kvVersion: 1 | 2 = 2): string {
  const blocks = [...readFileSync(DOCUMENT, 'utf8').matchAll(/```hcl\n(.*?)```/gs)];
  const block = blocks[kvVersion === 2 ? 0 : 1]?.[1];
  if (block === undefined) throw new Error(`${DOCUMENT} has no hcl block for version ${kvVersion}`);
  return block.replaceAll('<mount>', mount);
}
