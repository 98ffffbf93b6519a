import { link, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ListedVersion } from '#src/backends/listing.ts';
import { isProblem } from '#src/backends/listing-problem.ts';
import { collect } from '#test/support/collect.ts';
import { DirectoryFixture } from '#test/support/directory-fixture.ts';
import { presentIn } from '#test/support/documents.ts';
import { aDirectory, bareDriver } from './directory-subject.ts';
import { describeDriver } from './driver-suite.ts';

describeDriver(aDirectory('directory', bareDriver));

describe('versions in a directory', () => {
  const { signal } = new AbortController();
  let fixture: DirectoryFixture;

  beforeAll(async () => {
    fixture = await DirectoryFixture.open();
  });
  afterAll(() => fixture[Symbol.asyncDispose]());

  /** What is told once nothing changed for a moment. */
  async function settled(): Promise<ReadonlyMap<string, ListedVersion>> {
    const driver = fixture.driver({});
    let found: readonly ListedVersion[] = [];
    await expect
      .poll(async () => {
        found = await collect(driver.versions({ folder: '' }, signal));
        return found.filter((each) => !isProblem(each) && each.state === 'unknown');
      })
      .toEqual([]);
    return new Map(found.map((each) => [each.address, each]));
  }

  it('are those of a read for files, folders and links, and change with each of their files', async () => {
    await fixture.put('file', 'v');
    await fixture.put('folder', { a: '1', b: '2' });
    await symlink('file', fixture.path('link'));
    await mkdir(fixture.path('volume/..data'), { recursive: true, mode: 0o700 });
    await writeFile(fixture.path('volume/..data/token'), 'v');
    await symlink('..data/token', fixture.path('volume/token'));
    const driver = fixture.driver({});
    const names = ['file', 'folder', 'link', 'volume'];

    const before = await settled();
    for (const address of names) {
      const { version } = presentIn(await driver.read(address, signal));
      expect(before.get(address)).toEqual({ address, state: 'present', version });
    }
    await fixture.put('file', 'w');
    await writeFile(fixture.path('folder/b'), '3');
    await writeFile(fixture.path('volume/..data/token'), 'w');
    const after = await settled();
    for (const address of names) {
      const { version } = presentIn(await driver.read(address, signal));
      expect(after.get(address)).toEqual({ address, state: 'present', version });
      expect(after.get(address)).not.toEqual(before.get(address));
    }
  });

  it('have what a read refuses as a problem', async () => {
    await writeFile(fixture.path('large'), Buffer.alloc(1_048_578));
    await fixture.put('twice', 'v');
    await link(fixture.path('twice'), `${fixture.root}/elsewhere`);
    await symlink('/etc/hostname', fixture.path('out'));
    const found = await settled();
    for (const name of ['large', 'twice', 'out']) {
      expect(found.get(name)).toMatchObject({ problem: { code: 'DOCUMENT_REFUSED' } });
      await expect(fixture.driver({}).read(name, signal)).rejects.toMatchObject({ code: 'DOCUMENT_REFUSED' });
      await rm(fixture.path(name));
    }
  });
});
