import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readTools } from '#test/cluster/tools.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Minors with a folder of their own, which the nightly run chooses by KEYFERRY_KUBERNETES. */
const nightlyMinors = globSync('test/cluster/kubernetes-*/go.mod', { cwd: root })
  .map((file) => file.split(/[-/]/).at(-2) ?? '')
  .toSorted();

afterEach(() => {
  delete process.env['KEYFERRY_KUBERNETES'];
  delete process.env['KEYFERRY_KUBECTL'];
});

/** `1.36.3` → `1.36`. */
function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

describe('docs/compatibility.md', () => {
  const rows = read('docs/compatibility.md').split('\n');

  it('names the minors of Kubernetes that every push and every night run', () => {
    expect(rows).toContainEqual(
      expect.stringMatching(
        `^\\| Kubernetes \\| ${minorOf(readTools()['kube-apiserver'].version)} \\| every push`,
      ),
    );
    expect(rows).toContainEqual(
      expect.stringMatching(`^\\| +\\| ${nightlyMinors.join(', ')} \\| every night`),
    );
    const nightly = read('.github/workflows/nightly.yaml');
    for (const minor of nightlyMinors) expect(nightly).toContain(`kubernetes: '${minor}'`);
  });
});

describe('KEYFERRY_KUBERNETES', () => {
  it.each(nightlyMinors)('%s chooses programs of exactly this minor', (minor) => {
    process.env['KEYFERRY_KUBERNETES'] = minor;
    const { 'kube-apiserver': apiserver, kubectl } = readTools();
    for (const tool of [apiserver, kubectl]) {
      expect(minorOf(tool.version)).toBe(minor);
      const [major = 0, ownMinor = 0] = minor.split('.').map(Number);
      expect(tool.accepts([major, ownMinor, 0], [major, ownMinor, 9])).toBe(true);
      expect(tool.accepts([major, ownMinor + 1, 0], [major, ownMinor, 9])).toBe(false);
    }
  });

  it('with a minor that is not pinned says what to do', () => {
    process.env['KEYFERRY_KUBERNETES'] = '1.12';
    expect(() => readTools()).toThrow(/KEYFERRY_KUBERNETES is 1\.12: leave it out, or set a minor/);
  });
});

describe('the kubectl in PATH', () => {
  it('serves the demo when it is some minors older; the tests want the pinned minor or the one before', () => {
    const { kubectl } = readTools();
    expect(kubectl.accepts([1, 32, 0], [1, 36, 0])).toBe(false);
    process.env['KEYFERRY_KUBECTL'] = 'any';
    expect(readTools().kubectl.accepts([1, 32, 0], [1, 36, 0])).toBe(true);
    expect(readTools().kubectl.accepts([1, 30, 0], [1, 36, 0])).toBe(false);
    expect(readFileSync(join(root, 'Makefile'), 'utf8')).toContain(
      'KEYFERRY_KUBECTL=any node test/demo/demo.ts',
    );
  });
});

describe('.github/workflows', () => {
  it('pins each action by its commit, with the version beside it', () => {
    const files = globSync('.github/workflows/*.yaml', { cwd: root });
    const uses = files.flatMap((file) => read(file).match(/uses: .*/g) ?? []);
    expect(uses.length).toBeGreaterThan(3);
    expect(uses.filter((line) => !/^uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
  });
});
