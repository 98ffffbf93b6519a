import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

/* A reader applies the whole folder to see what there is: that must do no harm. */

const FOLDER = join(import.meta.dirname, '../../config/samples');
const ObjectSchema = z.looseObject({
  kind: z.string(),
  spec: z.looseObject({ dryRun: z.boolean().optional() }),
});

describe.each(globSync('*.yaml', { cwd: FOLDER }))('config/samples/%s', (file) => {
  const text = readFileSync(join(FOLDER, file), 'utf8');
  const { kind, spec } = ObjectSchema.parse(load(text));

  it('begins with one comment that says what it shows', () => {
    expect(text).toMatch(/^# [A-Z].+\n(# .+\n)*apiVersion: /);
  });

  it.runIf(kind === 'SecretMigration')('is a dry run', () => {
    expect(spec.dryRun).toBe(true);
  });
});
