import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DOCUMENT = join(import.meta.dirname, '..', '..', 'docs', 'openbao-policy.md');

/** The policy that docs/openbao-policy.md tells users to write, for this mount: what is documented is what is tested. */
export function documentedPolicy(mount: string): string {
  const block = /```hcl\n(.*?)```/s.exec(readFileSync(DOCUMENT, 'utf8'))?.[1];
  if (block === undefined) throw new Error(`${DOCUMENT} has no hcl block`);
  return block.replaceAll('<mount>', mount);
}
