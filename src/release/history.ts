import { spawnSync } from 'node:child_process';
import { load } from 'js-yaml';

/** The last release before `version` that this commit contains; undefined if there is none, or no repository. */
export function lastRelease(root: string, version?: string): string | undefined {
  const { status, stdout } = git(root, [
    'describe',
    '--tags',
    '--abbrev=0',
    '--match=v[0-9]*',
    ...exceptFor(version),
    'HEAD',
  ]);
  return status === 0 ? stdout.trim() : undefined;
}

/** The tag of the release itself can be there already. */
function exceptFor(version: string | undefined): readonly string[] {
  return version === undefined ? [] : [`--exclude=v${version}`];
}

/** False for a shallow clone and outside of a repository. */
export function hasFullHistory(root: string): boolean {
  return git(root, ['rev-parse', '--is-shallow-repository']).stdout.trim() === 'false';
}

/** True if the tag exists and is not at HEAD. */
export function isElsewhere(root: string, tag: string): boolean {
  const [tagged, head] = [`refs/tags/${tag}^{commit}`, 'HEAD'].map((ref) =>
    git(root, ['rev-parse', '--verify', '--quiet', ref]),
  );
  return tagged?.status === 0 && tagged.stdout !== head?.stdout;
}

/** The CRDs as they were at a tag, parsed. Throws if they cannot be read. */
export function crdsAt(root: string, tag: string): readonly unknown[] {
  const files = read(root, ['ls-tree', '--name-only', tag, 'crds/'])
    .split('\n')
    .filter((file) => file.endsWith('.yaml'));
  if (files.length === 0) throw new Error(`${tag} has no crds/`);
  return files.map((file) => load(read(root, ['show', `${tag}:${file}`])));
}

function read(root: string, args: readonly string[]): string {
  const { status, stdout, stderr } = git(root, args);
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.trim()}`);
  return stdout;
}

function git(root: string, args: readonly string[]) {
  return spawnSync('git', ['-C', root, ...args], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}
