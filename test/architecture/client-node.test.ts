import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../src');

/** Lines that load client-node when they run: without types, which are erased. By file. */
function loadsOf(files: Readonly<Record<string, string>>): Readonly<Record<string, readonly string[]>> {
  const loads = Object.entries(files).map(([file, text]) => {
    const lines = stripTypeScriptTypes(text).split('\n');
    return [
      file,
      lines.map((line) => line.trim()).filter((line) => /['"]@kubernetes\/client-node/.test(line)),
    ];
  });
  return Object.fromEntries(loads.filter(([, lines]) => (lines?.length ?? 0) > 0));
}

function sources(): Readonly<Record<string, string>> {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
}

describe('client-node', () => {
  it('is loaded on demand, where a kubeconfig is read, and nowhere else: a pod pays neither its time nor its memory', () => {
    expect(loadsOf(sources())).toEqual({
      'kube/kubeconfig.ts': [expect.stringMatching(/= await import\('@kubernetes\/client-node'\);$/)],
    });
  });

  it('is not loaded by its types, and is by any value', () => {
    const name = '@kubernetes/client-node';
    const types = `import type { V1Secret } from '${name}';\ntype Pod = import('${name}').V1Pod;`;
    expect(loadsOf({ 'a.ts': types })).toEqual({});
    const values = `import { type V1Pod, Watch } from '${name}';`;
    expect(Object.keys(loadsOf({ 'a.ts': values }))).toEqual(['a.ts']);
  });
});
