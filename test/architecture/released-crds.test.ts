import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { releaseFilesIn } from '#src/release/check.ts';
import { crdSetChanges } from '#src/release/crd-changes.ts';
import { crdsAt, lastRelease } from '#src/release/history.ts';

/*
 * `make release-check` does the same and fails without a history that has all tags. A clone for CI or from an archive has
 * none, so there this file can only check the comparison, and its name says so.
 */

const root = join(import.meta.dirname, '../..');
const { crds } = releaseFilesIn(root);
const last = lastRelease(root);

describe('crds/', () => {
  it(
    last === undefined
      ? 'are not compared with a release, because this clone knows none; the comparison itself works'
      : `take nothing away from users of ${last}`,
    () => {
      expect(crds).toHaveLength(4);
      expect(crdSetChanges(crds, crds.slice(1))).toHaveLength(1);
      expect(crdSetChanges(last === undefined ? crds : crdsAt(root, last), crds)).toEqual([]);
    },
  );
});
