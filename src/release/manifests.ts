/**
 * Writes what a release offers to those who install without Helm, for `make release-manifests IMAGE=name@sha256:…`:
 * dist/release/crds.yaml, and dist/release/install.yaml with the operator by the digest of its image.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { publishedImage, readProduct } from '#src/image/product.ts';

const PINNED = /^[a-z0-9.-]+(:\d+)?\/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$/;

/**
 * The manifests with `image` in place of `tagged`, the image that config/ names. Throws if the image has no digest, or if
 * they do not use the other one exactly once.
 */
export function withImage(manifests: string, image: string, tagged: string): string {
  if (!PINNED.test(image))
    throw new Error(`IMAGE is "${image}": give it as registry/name@sha256:<64 hex digits>`);
  const lines = manifests.split('\n');
  const isUse = (line: string): boolean => line.trim() === `image: ${tagged}`;
  const uses = lines.filter(isUse).length;
  if (uses !== 1) throw new Error(`config/default uses ${tagged} ${uses} times, not once`);
  return lines.map((line) => (isUse(line) ? line.replace(tagged, image) : line)).join('\n');
}

/** The texts of these files as the documents of one. */
export function joined(texts: readonly string[]): string {
  return texts.map((text) => text.replace(/^---\n/, '').trimEnd()).join('\n---\n') + '\n';
}

function main(root: string): void {
  const { image } = parseArgs({ options: { image: { type: 'string', default: '' } } }).values;
  const folder = join(root, 'dist', 'release');
  const rendered = spawnSync('kubectl', ['kustomize', 'config/default'], { cwd: root, encoding: 'utf8' });
  if (rendered.status !== 0) throw new Error(`kubectl kustomize config/default failed: ${rendered.stderr}`);
  const crds = globSync('crds/*.yaml', { cwd: root }).toSorted();
  const files = {
    'install.yaml': withImage(rendered.stdout, image, publishedImage(readProduct(root).version)),
    'crds.yaml': joined(crds.map((file) => readFileSync(join(root, file), 'utf8'))),
  };
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

if (import.meta.main) {
  try {
    main(join(import.meta.dirname, '..', '..'));
  } catch (error) {
    process.stderr.write(
      `make release-manifests: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}
