/**
 * Writes what a release offers to those who install without Helm, for `make release-manifests IMAGE=name@sha256:…`:
 * dist/release/crds.yaml, and dist/release/install.yaml with the operator by the digest of its image.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** The image in config/operator, with the tag of its version. */
const UNPINNED = /(?<=^ +image: )ghcr\.io\/keyferry\/keyferry:\S+$/;
const PINNED = /^[a-z0-9.-]+(:\d+)?\/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$/;

/** The manifests with this image in place of the one of config/. Throws if the image has no digest or is not used once. */
export function withImage(manifests: string, image: string): string {
  if (!PINNED.test(image))
    throw new Error(`IMAGE is "${image}": give it as registry/name@sha256:<64 hex digits>`);
  const lines = manifests.split('\n');
  const places = lines.flatMap((line, index) => (UNPINNED.test(line) ? [index] : []));
  if (places.length !== 1) throw new Error(`config/default uses the image ${places.length} times, not once`);
  return lines.map((line, index) => (index === places[0] ? line.replace(UNPINNED, image) : line)).join('\n');
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
    'install.yaml': withImage(rendered.stdout, image),
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
