import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { allowAddress } from '#test/cluster/admission.ts';
import { OPERATOR_ACCOUNT } from '#test/cluster/cluster.ts';
import { attachNode } from '#test/cluster/node/node.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import {
  buildImage,
  compressedSize,
  hasBuildah,
  operatorImage,
  readImageArchive,
  TEST_IMAGE,
  type ImageArchive,
} from '#test/support/image-archive.ts';
import { createOperatorPod, type OperatorPod } from '#test/support/operator-pod.ts';
import { kvData, pathOf } from '#test/support/queries.ts';
import { Tenant } from '#test/support/tenant.ts';

const MEGABYTE = 1_000_000;
/** Prints what the kernel says of the operator, and writes a file into the image. */
const CONFINEMENT =
  "process.stdout.write(fs.readFileSync('/proc/1/status')); fs.writeFileSync('/app/written', 'by the test');";

const cluster = sharedCluster();
const node = attachNode(cluster);
const temporary = mkdtempSync(join(tmpdir(), 'keyferry-image-'));

if (!hasBuildah) {
  warn('SKIPPED: the image is not built and not run, because buildah is missing: apt-get install buildah');
} else if (!node.hasSeccomp) {
  warn('SKIPPED: "enforce: restricted", because this runc has no seccomp: apt-get install runc');
}

function warn(line: string): void {
  process.stderr.write(`\n*** ${line}\n\n`);
}

afterAll(async () => {
  rmSync(temporary, { recursive: true, force: true });
  await cluster.dispose();
});

describe.skipIf(!hasBuildah)('the image', () => {
  let archive: string;
  let image: ImageArchive;

  beforeAll(() => {
    archive = operatorImage(cluster);
    image = readImageArchive(archive, join(temporary, 'unpacked'));
  });

  it('has Node, what it is linked to, the bundle and its papers, and nothing else', () => {
    const known = image.files.map((file) => file.replace(/(?<=\/)[a-z0-9_]+-linux-gnu(?=\/)/, 'TRIPLET'));
    expect(
      known
        .filter((file) => !/^\/app\/dist\/[\w-]+\.js$|^\/lib(64)?\/ld-linux-[\w-]+\.so\.\d$/.test(file))
        .toSorted(),
    ).toEqual([
      '/app/LICENSE',
      '/app/THIRD-PARTY.txt',
      '/app/package.json',
      '/app/sbom.spdx.json',
      '/etc/group',
      '/etc/nsswitch.conf',
      '/etc/passwd',
      '/lib/TRIPLET/libc.so.6',
      '/lib/TRIPLET/libdl.so.2',
      '/lib/TRIPLET/libgcc_s.so.1',
      '/lib/TRIPLET/libm.so.6',
      '/lib/TRIPLET/libpthread.so.0',
      '/lib/TRIPLET/libstdc++.so.6',
      '/usr/bin/node',
      expect.stringMatching(/^\/var\/lib\/dpkg\/status\.d\/gcc-\d+-base$/),
      '/var/lib/dpkg/status.d/libc6',
      '/var/lib/dpkg/status.d/libgcc-s1',
      '/var/lib/dpkg/status.d/libstdc++6',
    ]);
    expect(image.files).toContain('/app/dist/keyferry.js');
  });

  it('is smaller than 80 MB, compressed', async () => {
    expect(await compressedSize(archive)).toBeLessThan(80 * MEGABYTE);
  });

  it('is the same when it is built again, in every layer and in its configuration', () => {
    const again = readImageArchive(buildImage(temporary, 'two'), join(temporary, 'again'));
    expect(again.configuration).toEqual(image.configuration);
  });

  describePod(() => archive);
});

function describePod(archive: () => string): void {
  describe('in a pod, under Pod Security "restricted"', () => {
    let pod: OperatorPod;
    let tenant: Tenant;

    beforeAll(async () => {
      const level = node.hasSeccomp ? 'restricted' : 'baseline';
      await cluster.kube(
        'PATCH',
        `/api/v1/namespaces/${OPERATOR_ACCOUNT.namespace}`,
        { metadata: { labels: { 'pod-security.kubernetes.io/enforce': level } } },
        { 'content-type': 'application/merge-patch+json' },
      );
      await node.importImage(archive());
      const address = await node.exposeKvServer();
      await allowAddress(cluster, address);
      tenant = await Tenant.create(cluster, { address, tlsServerName: 'localhost' });
      pod = await createOperatorPod(cluster, node, { name: 'keyferry', image: TEST_IMAGE });
      await pod.untilReady();
    });

    afterAll(async () => {
      await pod?.delete();
    });

    it('completes a migration', async () => {
      await tenant.apply(aSecret('db', { password: 'hunter2' }));
      await tenant.apply(aMigration('move'));
      await tenant.untilReady('move');
      expect(await kvData(tenant, pathOf(tenant, 'db'))).toEqual({ password: 'hunter2' });
      expect(await tenant.secret('db')).toBeDefined();
    });

    it('logs lines of JSON only: no warning of Node, no trace', async () => {
      const lines = (await pod.logs()).trimEnd().split('\n');
      expect(lines.filter((line) => !line.startsWith('{'))).toEqual([]);
    });

    it('has no rights: an own user, no capabilities, filtered system calls, a root that is read-only', async () => {
      const { stdout, stderr } = await pod.exec(['node', '-e', CONFINEMENT]);
      expect(stderr).toContain('EROFS');
      for (const line of [/^Uid:\s+65532\s/m, /^CapEff:\s+0+$/m, /^NoNewPrivs:\s+1$/m])
        expect(stdout).toMatch(line);
      expect(stdout).toMatch(node.hasSeccomp ? /^Seccomp:\s+2$/m : /^Seccomp:\s+0$/m);
    });

    it('runs nothing but Node', async () => {
      for (const program of ['/bin/sh', 'sh', 'npm', 'ls']) {
        expect((await pod.exec([program])).code, program).not.toBe(0);
      }
      expect((await pod.exec(['node', '/app/dist/keyferry.js', '--version'])).code).toBe(0);
    });
  });
}
