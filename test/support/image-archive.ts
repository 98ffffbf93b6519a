import { execFileSync, spawnSync } from 'node:child_process';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { z } from 'zod';
import { publishedImage, readProduct } from '#src/image/product.ts';

const Manifest = z.tuple([z.object({ Config: z.string(), Layers: z.array(z.string()) })]);
const Configuration = z.object({
  architecture: z.string(),
  config: z.object({ User: z.string(), Entrypoint: z.array(z.string()), Env: z.array(z.string()) }),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});

export type ImageConfiguration = z.infer<typeof Configuration>;

/** An image in an archive in the format of `docker save`. */
export interface ImageArchive {
  readonly configuration: ImageConfiguration;
  /** Paths of all files, links included, without folders. */
  readonly files: readonly string[];
}

/** Reads the archive; `folder` is for what it unpacks. */
export function readImageArchive(archive: string, folder: string): ImageArchive {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  const [{ Config, Layers }] = Manifest.parse(
    JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')),
  );
  const list = (layer: string): string =>
    execFileSync('tar', ['-tf', join(folder, layer)], { encoding: 'utf8' });
  const names = Layers.flatMap((layer) => list(layer).trim().split('\n'));
  return {
    configuration: Configuration.parse(JSON.parse(readFileSync(join(folder, Config), 'utf8'))),
    files: names.filter((name) => !name.endsWith('/')).map((name) => `/${name}`),
  };
}

/** What a registry stores of it and a node downloads, in bytes: engines compress layers with gzip. */
export async function compressedSize(archive: string): Promise<number> {
  let size = 0;
  await pipeline(createReadStream(archive), createGzip(), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) size += chunk.length;
  });
  return size;
}

const ROOT = join(import.meta.dirname, '../..');
/** The name of an image that `buildImage` builds: that of the release, so that chart and config/ need no other. */
export const TEST_IMAGE = publishedImage(readProduct(ROOT).version);
/** Without it, no image can be built. */
export const hasBuildah = spawnSync('buildah', ['--version']).status === 0;

/** `make image`, with images and layers below `folder` instead of those of the machine. Returns the archive of `TEST_IMAGE`. */
export function buildImage(folder: string, name: string): string {
  const storage = join(folder, name);
  const archive = join(folder, `${name}.tar`);
  mkdirSync(storage);
  const settings = [
    '[storage]',
    'driver = "vfs"',
    `graphroot = "${join(storage, 'root')}"`,
    `runroot = "${join(storage, 'run')}"`,
  ];
  const file = join(storage, 'storage.conf');
  writeFileSync(file, `${settings.join('\n')}\n`);
  execFileSync('make', ['image', 'ENGINE=buildah', `ARCHIVE=${archive}`], {
    cwd: ROOT,
    env: { ...process.env, CONTAINERS_STORAGE_CONF: file },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return archive;
}

/** The archive of `TEST_IMAGE`, which the first test of a run builds and the cluster of the suite keeps. */
export function operatorImage(suite: { readonly folder: string }): string {
  const folder = join(suite.folder, 'operator-image');
  const archive = join(folder, 'operator.tar');
  if (existsSync(archive)) return archive;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  renameSync(buildImage(folder, 'building'), archive);
  rmSync(join(folder, 'building'), { recursive: true });
  return archive;
}
