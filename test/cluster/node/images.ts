import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const PAUSE_IMAGE = 'keyferry.test/pause:1';
export const WORKLOAD_IMAGE = 'keyferry.test/workload:1';
/** Where the program of `WORKLOAD_IMAGE` lies in it. */
export const WORKLOAD_PROGRAM = '/program';

/** Of images and of Go; Node has names of its own. */
export const IMAGE_ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

export interface ImageContent {
  readonly name: string;
  readonly reference: string;
  /** Path in the image → file of this machine. A program at `WORKLOAD_PROGRAM` is what a container runs by default. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Writes an image that has these files and nothing else, in the archive format of `docker save` (manifest.json, a
 * configuration, one layer), which every container tool imports, to `<folder>/<name>.tar`. Returns its path.
 */
export async function writeImage(folder: string, { name, reference, files }: ImageContent): Promise<string> {
  const content = join(folder, name);
  const root = join(content, 'root');
  for (const [path, file] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await copyFile(file, join(root, path));
  }
  const layer = join(content, 'layer.tar');
  await archive(layer, root, ['.']);
  const configuration = {
    architecture: IMAGE_ARCHITECTURE,
    os: 'linux',
    config: { Entrypoint: [WORKLOAD_PROGRAM] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${await digestOf(layer)}`] },
  };
  const manifest = [{ Config: 'config.json', RepoTags: [reference], Layers: ['layer.tar'] }];
  await writeFile(join(content, 'config.json'), JSON.stringify(configuration));
  await writeFile(join(content, 'manifest.json'), JSON.stringify(manifest));
  const image = join(folder, `${name}.tar`);
  await archive(image, content, ['manifest.json', 'config.json', 'layer.tar']);
  await rm(content, { recursive: true });
  return image;
}

async function archive(file: string, folder: string, names: readonly string[]): Promise<void> {
  await run('tar', ['-cf', file, '-C', folder, ...names]);
}

async function digestOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}
