/**
 * Builds the image of the operator, for `make image`:
 *
 *     node src/image/build.ts [--engine docker|podman|buildah] [--arch amd64|arm64] [--image name:tag] [--archive file]
 *
 * An empty value means the default.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { architectureOf } from './architecture.ts';
import { buildCommand, chooseEngine, saveCommand, type Engine } from './engine.ts';
import { publishedImage, readProduct, sourceDateOf } from './product.ts';
import { stageImage } from './stage.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const text = { type: 'string', default: '' } as const;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { engine: text, arch: text, image: text, archive: text } });
  const { version } = readProduct(ROOT);
  const engine = chooseEngine(values.engine);
  const architecture = architectureOf(values.arch);
  const reference = values.image === '' ? publishedImage(version) : values.image;
  await stageImage(ROOT, architecture);
  const sourceDate = sourceDateOf(ROOT);
  run(engine, buildCommand(engine, { architecture: architecture.image, reference, version, sourceDate }));
  process.stdout.write(`${reference} for linux/${architecture.image}, built by ${engine}\n`);
  if (values.archive === '') return;
  const file = resolve(values.archive);
  rmSync(file, { force: true }); // Engines do not write over an archive.
  run(engine, saveCommand(engine, reference, file));
  process.stdout.write(`${file}\n`);
}

function run(engine: Engine, args: readonly string[]): void {
  const { status } = spawnSync(engine, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${engine} ${args.join(' ')} failed`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`make image: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
