import { parseJson } from '#src/json/parse.ts';
/**
 * Checks that a version can be released from this checkout, for `make release-check VERSION=X.Y.Z`:
 *
 *     node src/release/check.ts --version X.Y.Z [--notes file]
 *
 * `--notes` also writes the section of the changelog, for the page of the release.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { load } from 'js-yaml';
import { z } from 'zod';
import { crdsAt, hasFullHistory, isElsewhere, lastRelease } from './history.ts';
import { releaseProblems, sectionOf, type ReleaseFiles } from './problems.ts';

const Versioned = z.object({ version: z.unknown() });
const Lock = Versioned.extend({ packages: z.object({ '': Versioned }) });
const Chart = z.object({ appVersion: z.unknown() });

/** What the checkout in `root` says of a release. */
export function releaseFilesIn(root: string): ReleaseFiles {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');
  const lock = Lock.parse(parseJson(read('package-lock.json')));
  return {
    packageVersions: [
      Versioned.parse(parseJson(read('package.json'))).version,
      lock.version,
      lock.packages[''].version,
    ],
    appVersion: Chart.parse(load(read('charts/keyferry/Chart.yaml'))).appVersion,
    changelog: read('CHANGELOG.md'),
    crds: globSync('crds/*.yaml', { cwd: root }).map((file) => load(read(file))),
  };
}

function main(root: string): void {
  const text = { type: 'string', default: '' } as const;
  const { version, notes } = parseArgs({ options: { version: text, notes: text } }).values;
  const files = releaseFilesIn(root);
  const isComplete = hasFullHistory(root);
  const tag = lastRelease(root, version);
  const last = tag === undefined ? undefined : { tag, crds: crdsAt(root, tag) };
  const isTaggedElsewhere = isElsewhere(root, `v${version}`);
  const problems = releaseProblems(version, files, { isComplete, isTaggedElsewhere, last });
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) {
    process.exitCode = 1;
    return;
  }
  const compared =
    tag === undefined ? 'no earlier release to compare the CRDs with' : `the CRDs are additive since ${tag}`;
  process.stdout.write(`${version} can be released: ${compared}\n`);
  if (notes !== '') writeFileSync(notes, `${sectionOf(version, files.changelog) ?? ''}\n`);
}

if (import.meta.main) main(join(import.meta.dirname, '..', '..'));
