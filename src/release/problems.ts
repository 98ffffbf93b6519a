import { crdSetChanges } from './crd-changes.ts';

/** What the files of a checkout say of a release. */
export interface ReleaseFiles {
  /** `version` of package.json, and the two of package-lock.json. */
  readonly packageVersions: readonly unknown[];
  /** `appVersion` of the chart. */
  readonly appVersion: unknown;
  /** The text of CHANGELOG.md. */
  readonly changelog: string;
  /** The CRDs, parsed. */
  readonly crds: readonly unknown[];
}

/** What the history of a checkout says of a release. */
export interface ReleaseHistory {
  /** False for a shallow clone: its tags are not all of them. */
  readonly isComplete: boolean;
  /** True if the tag of this release exists and is at another commit than the checkout. */
  readonly isTaggedElsewhere: boolean;
  /** The release before this one; undefined if there is none. */
  readonly last: { readonly tag: string; readonly crds: readonly unknown[] } | undefined;
}

const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/** Why this version must not be released from this checkout: one sentence for each problem. */
export function releaseProblems(
  version: string,
  files: ReleaseFiles,
  history: ReleaseHistory,
): readonly string[] {
  if (!VERSION.test(version)) return [`VERSION is "${version}": give it as X.Y.Z, without a "v".`];
  const others = files.packageVersions.filter((each) => each !== version);
  return [
    ...others.map((each) => `package.json or package-lock.json has version ${String(each)}, not ${version}.`),
    ...(files.appVersion === version
      ? []
      : [`charts/keyferry/Chart.yaml has appVersion ${String(files.appVersion)}, not ${version}.`]),
    ...changelogProblems(version, files.changelog),
    ...historyProblems(version, files, history),
  ];
}

function changelogProblems(version: string, changelog: string): readonly string[] {
  const problems: string[] = [];
  const text = sectionOf(version, changelog);
  if (text === undefined) problems.push(`CHANGELOG.md has no section "## [${version}] - YYYY-MM-DD".`);
  else if (!/^- /m.test(text)) problems.push(`The section of ${version} in CHANGELOG.md lists nothing.`);
  if (!/^## \[Unreleased\]$/m.test(changelog))
    problems.push('CHANGELOG.md has no section "## [Unreleased]" for what comes next.');
  return problems;
}

/** The text below the heading of this version; undefined without a heading with a date. */
export function sectionOf(version: string, changelog: string): string | undefined {
  for (const section of changelog.split(/^(?=## )/m)) {
    const [, named, text = ''] = /^## \[([^\]]+)\] - \d{4}-\d{2}-\d{2}\n([^]*)$/.exec(section) ?? [];
    // The links at the end of the file belong to no section.
    if (named === version) return text.replaceAll(/^\[[^\]]+\]: .*$/gm, '').trim();
  }
  return undefined;
}

function historyProblems(version: string, files: ReleaseFiles, history: ReleaseHistory): readonly string[] {
  const { isComplete, isTaggedElsewhere, last } = history;
  if (!isComplete)
    return [
      'This clone has no full history, so the last release is not known: git fetch --unshallow --tags.',
    ];
  const moved = isTaggedElsewhere ? [`The tag v${version} is at another commit than this checkout.`] : [];
  if (last === undefined) {
    const earlier = [...files.changelog.matchAll(/^## \[(\d[^\]]*)\]/gm)].filter(
      ([, each]) => each !== version,
    );
    return earlier.length === 0
      ? moved
      : [...moved, 'CHANGELOG.md has earlier releases, and no tag of one is here: git fetch --tags.'];
  }
  return [
    ...moved,
    ...crdSetChanges(last.crds, files.crds).map((change) => `Not additive since ${last.tag}: ${change}`),
  ];
}
