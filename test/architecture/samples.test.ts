import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

/* A reader applies the whole folder to see what there is: that must do no harm. */

const FOLDER = join(import.meta.dirname, '../../config/samples');
const ObjectSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }).optional(),
  spec: z.looseObject({ dryRun: z.boolean().optional(), undo: z.boolean().optional() }),
});

const SAMPLES = globSync('*.yaml', { cwd: FOLDER }).map((file) => {
  const text = readFileSync(join(FOLDER, file), 'utf8');
  return { file, text, ...ObjectSchema.parse(load(text)) };
});

describe('config/samples', () => {
  it.each(SAMPLES)('$file begins with one comment that says what it shows', ({ text }) => {
    expect(text).toMatch(/^# [A-Z].+\n(# .+\n)*apiVersion: /);
  });

  const migrations = SAMPLES.filter(({ kind }) => kind === 'SecretMigration');
  it.each(migrations.filter(({ spec }) => spec.undo !== true))('$file is a dry run', ({ spec }) => {
    expect(spec.dryRun).toBe(true);
  });

  it('takes back one migration, which has moved nothing', () => {
    const undoing = migrations.filter(({ spec }) => spec.undo === true);
    expect(undoing.map(({ file }) => file)).toEqual(['migration-undo.yaml']);
    const names = migrations.map(({ metadata }) => metadata?.name);
    expect(new Set(names).size).toBe(names.length);
  });
});
