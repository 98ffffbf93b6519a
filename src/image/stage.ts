import { chmod, cp, lutimes, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Architecture } from './architecture.ts';
import { readBundledPackages } from './bundled-packages.ts';
import { placeLibraries, writeStatus, type DebianPackage } from './debian.ts';
import { thirdPartyText } from './licenses.ts';
import { findNodePackage, type NodePackage } from './node-program.ts';
import { readProduct, sourceDateOf } from './product.ts';
import { componentOf, spdxOf, type Component } from './spdx.ts';

/** The user of the image; a number, so that Kubernetes can see that it is not root. The Dockerfile has it too. */
const USER = 65_532;
const ACCOUNTS = {
  'etc/passwd': `root:x:0:0:root:/nonexistent:/nonexistent\nnonroot:x:${USER}:${USER}:nonroot:/nonexistent:/nonexistent\n`,
  'etc/group': `root:x:0:\nnonroot:x:${USER}:\n`,
  // What glibc does without the file differs from version to version.
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};
/** Executable for everyone, written by nobody. */
const PROGRAM_MODE = 0o755;
const FILE_MODE = 0o644;

/**
 * Writes what an image consists of to `.image/<architecture>/`: one folder for each layer, from what changes least to
 * what changes most. Every file has the time of the source, so that the same source gives the same layers.
 */
export async function stageImage(root: string, architecture: Architecture): Promise<void> {
  const work = join(root, '.image', `work-${architecture.image}`);
  const stage = join(root, '.image', architecture.image);
  const layer = (name: string): string => join(stage, name);
  await rm(stage, { recursive: true, force: true });
  const node = await findNodePackage(root, architecture, join(work, 'npm'));
  const debian = await placeLibraries(architecture, { work: join(work, 'apt'), target: layer('libraries') });
  await writeStatus(debian, layer('libraries'));
  await writeTexts(layer('libraries'), ACCOUNTS);
  await mkdir(join(layer('runtime'), 'usr/bin'), { recursive: true });
  await cp(node.program, join(layer('runtime'), 'usr/bin/node'));
  await writeApplication(root, layer('application'), { node, debian, architecture });
  await settle(stage, sourceDateOf(root));
}

interface Parts {
  readonly node: NodePackage;
  readonly debian: readonly DebianPackage[];
  readonly architecture: Architecture;
}

async function writeApplication(root: string, layer: string, parts: Parts): Promise<void> {
  const product = readProduct(root);
  const packages = readBundledPackages(root);
  const { node, debian, architecture } = parts;
  await mkdir(join(layer, 'app/dist'), { recursive: true });
  for (const file of globSync('dist/*.js', { cwd: root })) {
    await cp(join(root, file), join(layer, 'app/dist', basename(file)));
  }
  const components = [...packages.map(componentOf), ...componentsOf(parts)];
  const subject = {
    name: `keyferry-${product.version}-linux-${architecture.image}`,
    createdAtSeconds: sourceDateOf(root),
  };
  const { version: nodeVersion, license } = node;
  await writeTexts(layer, {
    'app/sbom.spdx.json': spdxOf(product, components, subject),
    'app/THIRD-PARTY.txt': thirdPartyText([
      ...packages,
      { name: 'Node.js', version: nodeVersion, license: 'MIT', texts: [license] },
      ...debian.map(({ name, version, copyright }) => ({
        name: `${name} (Debian)`,
        version,
        license: 'see below',
        texts: [copyright],
      })),
    ]),
  });
  // The operator reads its version and the lowest Node from package.json, and Node its `type`.
  for (const file of ['package.json', 'LICENSE']) await cp(join(root, file), join(layer, 'app', file));
}

function componentsOf({ node, debian, architecture }: Parts): readonly Component[] {
  return [
    { name: 'node', version: node.version, license: 'MIT', purl: `pkg:npm/${node.name}@${node.version}` },
    ...debian.map(({ name, version }) => ({
      name,
      version,
      license: 'NOASSERTION',
      purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture.image}`,
    })),
  ];
}

async function writeTexts(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

/** Sets modes and times of all below it: those of a checkout depend on who made it, and when. */
async function settle(folder: string, time: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const isProgram = entry.isDirectory() || entry.name === 'node' || entry.name.startsWith('ld-linux');
    await chmod(path, isProgram ? PROGRAM_MODE : FILE_MODE);
    await lutimes(path, time, time);
  }
}
