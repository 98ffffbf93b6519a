import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const launcher = readFileSync(join(root, 'src/launch.sh'), 'utf8');

/** What follows each instruction of this name; lines that end in a backslash go on. */
function instructions(name: string): readonly string[] {
  const lines = dockerfile.replaceAll(/\\\n\s*/g, '').split('\n');
  return lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
}

describe('the image', () => {
  it('starts Node with the variables and flags of src/launch.sh', () => {
    const [variables = '', flags = ''] = (/^exec env (.*) "\$0" "\$@"$/m.exec(launcher)?.[1] ?? '').split(
      ' node ',
    );
    expect(variables).toMatch(/^MALLOC_/);
    expect(instructions('ENV')).toEqual([variables]);
    const entrypoint: unknown = JSON.parse(instructions('ENTRYPOINT').join(''));
    expect(entrypoint).toEqual(['/usr/bin/node', ...flags.split(' '), '/app/dist/keyferry.js']);
  });

  it('has a user that Kubernetes sees is not root', () => {
    expect(instructions('USER')).toEqual(['65532:65532']);
  });

  it('consists of nothing but what make image has checked: no other base, no command, no download', () => {
    expect(instructions('FROM')).toEqual(['scratch AS files', 'scratch']);
    expect([...instructions('RUN'), ...instructions('ADD')]).toEqual([]);
  });
});
