import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BACKEND_KINDS } from '#src/backends/kinds.ts';

const root = join(import.meta.dirname, '../..');

/** All text of these files of the project. */
function textOf(...patterns: readonly string[]): string {
  return globSync(patterns, { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
}

/** Folders of src/backends with a definition. */
const FOLDERS = globSync('src/backends/*/definition.ts', { cwd: root })
  .map((file) => file.split('/')[2] ?? '')
  .filter((folder) => folder !== 'memory');
const TYPES = BACKEND_KINDS.map(({ type }) => type);

describe('the kinds of backend that ship', () => {
  it('are all the folders with a definition, except the one for tests', () => {
    expect(FOLDERS.toSorted()).toEqual(TYPES.toSorted());
  });
});

describe.each(TYPES)('the kind %s', (type) => {
  it('has its factory in the composition root', () => {
    expect(textOf('src/app.ts', 'src/app/**/*.ts')).toMatch(
      new RegExp(`from '[^']*backends/${type}/factory\\.ts'`),
    );
  });

  it('is held to the suite of all drivers', () => {
    expect(textOf(`test/conformance/${type}.test.ts`)).toContain('describeDriver(');
  });

  it('has a sample', () => {
    expect(textOf(`config/samples/backend-${type}*.yaml`)).toContain(`type: ${type}`);
  });
});
