import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigSchema } from '#src/config/schema.ts';
import { leaseOfSlice, MOST_SLICES } from '#src/runtime/slice-of.ts';

const Roles = z.array(
  z.looseObject({ rules: z.array(z.object({ resourceNames: z.array(z.string()).optional() })).optional() }),
);
const ROLE = join(import.meta.dirname, '..', '..', 'config', 'rbac', 'leader-election.yaml');

it('the role of the operator names the Lease of every slice that --slices can ask for, the lock of removals, and no other one', () => {
  const { leaseName } = ConfigSchema.parse({});
  const rules = Roles.parse(loadAll(readFileSync(ROLE, 'utf8'))).flatMap((object) => object.rules ?? []);
  const slices = Array.from({ length: MOST_SLICES }, (_, slice) => leaseOfSlice(leaseName, slice));
  expect(rules.flatMap(({ resourceNames = [] }) => resourceNames)).toEqual([
    ...slices,
    `${leaseName}-removals`,
  ]);
  expect(ConfigSchema.shape.slices.safeParse(String(MOST_SLICES)).success).toBe(true);
  expect(ConfigSchema.shape.slices.safeParse(String(MOST_SLICES + 1)).success).toBe(false);
});
