import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publishedImage, readProduct } from '#src/image/product.ts';
import { joined, withImage } from './manifests.ts';
import { releaseProblems, sectionOf, type ReleaseFiles, type ReleaseHistory } from './problems.ts';

const CHANGELOG = `# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

### Added

- A thing.

## [0.1.0] - 2026-11-01

- The first one.

[0.2.0]: https://example.com
`;

function aCrd(properties: object) {
  const version = { name: 'v1', served: true, schema: { openAPIV3Schema: { type: 'object', properties } } };
  const names = { kind: 'Thing', plural: 'things' };
  return {
    metadata: { name: 'things.example.com' },
    spec: { group: 'example.com', scope: 'Namespaced', names, versions: [version] },
  };
}

const FILES: ReleaseFiles = {
  packageVersions: ['0.2.0', '0.2.0', '0.2.0'],
  appVersion: '0.2.0',
  changelog: CHANGELOG,
  crds: [aCrd({ a: { type: 'string' } })],
};
const HISTORY: ReleaseHistory = {
  isComplete: true,
  isTaggedElsewhere: false,
  last: { tag: 'v0.1.0', crds: [aCrd({})] },
};

const problemsOf = (
  files: Partial<ReleaseFiles> = {},
  history: Partial<ReleaseHistory> = {},
  version = '0.2.0',
) => releaseProblems(version, { ...FILES, ...files }, { ...HISTORY, ...history });

describe('a release', () => {
  it('of a checkout in order has no problem', () => {
    expect(problemsOf()).toEqual([]);
  });

  it.each([
    [
      { packageVersions: ['0.2.0', '0.1.0', '0.2.0'] },
      /package\.json or package-lock\.json has version 0\.1\.0, not 0\.2\.0/,
    ],
    [{ appVersion: '0.1.0' }, /Chart\.yaml has appVersion 0\.1\.0, not 0\.2\.0/],
    [
      { changelog: CHANGELOG.replace('[0.2.0] - 2026-12-01', '[0.2.0]') },
      /no section "## \[0\.2\.0\] - YYYY-MM-DD"/,
    ],
    [{ changelog: CHANGELOG.replace('- A thing.', '') }, /section of 0\.2\.0 in CHANGELOG\.md lists nothing/],
    [{ changelog: CHANGELOG.replace('## [Unreleased]', '') }, /no section "## \[Unreleased\]"/],
    [{ crds: [aCrd({})] }, undefined],
  ])('of files %j is refused with one sentence: %s', (files, sentence) => {
    expect(problemsOf(files)).toEqual(sentence === undefined ? [] : [expect.stringMatching(sentence)]);
  });

  it.each([
    ['v0.2.0', /without a "v"/],
    ['', /VERSION is ""/],
    ['0.2', /X\.Y\.Z/],
  ])('as %s is refused: %s', (version, sentence) => {
    expect(problemsOf({}, {}, version)).toEqual([expect.stringMatching(sentence)]);
  });

  it('that takes a field away from users of the last one is refused', () => {
    const last = { tag: 'v0.1.0', crds: [aCrd({ b: { type: 'string' } })] };
    expect(problemsOf({}, { last })).toEqual([
      'Not additive since v0.1.0: Thing v1 b: the field was removed.',
    ]);
  });

  it('that cannot be compared with the last one is refused, and not the first one of all', () => {
    expect(problemsOf({}, { isComplete: false })).toEqual([expect.stringContaining('no full history')]);
    expect(problemsOf({}, { last: undefined })).toEqual([expect.stringContaining('git fetch --tags')]);
    const changelog = CHANGELOG.replace(/## \[0\.1\.0\][^]*(?=\[0\.2\.0\]:)/, '');
    expect(problemsOf({ changelog }, { last: undefined })).toEqual([]);
  });

  it('whose tag is at another commit is refused', () => {
    expect(problemsOf({}, { isTaggedElsewhere: true })).toEqual([expect.stringContaining('another commit')]);
  });

  it('has the section of its version as notes, without the links below it', () => {
    expect(sectionOf('0.2.0', CHANGELOG)).toBe('### Added\n\n- A thing.');
    expect(sectionOf('0.1.0', CHANGELOG)).toBe('- The first one.');
    expect(sectionOf('0.3.0', CHANGELOG)).toBeUndefined();
  });
});

describe('the manifests of a release', () => {
  const root = join(import.meta.dirname, '..', '..');
  const tagged = publishedImage(readProduct(root).version);
  const deployment = readFileSync(join(root, 'config/operator/deployment.yaml'), 'utf8');
  const image = `ghcr.io/keyferry/keyferry@sha256:${'a'.repeat(64)}`;

  it('name the image of the operator by its digest, and nothing else differs', () => {
    const pinned = withImage(deployment, image, tagged);
    expect(pinned).toContain(`image: ${image}\n`);
    expect(pinned.replace(image, tagged)).toBe(deployment);
  });

  it('are refused without a digest, and if the image is not used exactly once', () => {
    expect(() => withImage(deployment, tagged, tagged)).toThrow(/@sha256:/);
    expect(() => withImage(deployment + deployment, image, tagged)).toThrow(/2 times/);
    expect(() => withImage(deployment, image, `${tagged}-rc`)).toThrow(/0 times/);
  });

  it('have all CRDs in one file, one document each', () => {
    expect(joined(['---\na: 1\n', 'b: 2\n'])).toBe('a: 1\n---\nb: 2\n');
  });
});
