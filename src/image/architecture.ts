/** What an architecture is called, by each of the projects whose files are in an image. */
export interface Architecture {
  /** In images and in Debian. */
  readonly image: 'amd64' | 'arm64';
  /** In Node. */
  readonly node: 'x64' | 'arm64';
  /** The folder of Debian's shared objects. */
  readonly triplet: string;
  /** The path at which programs expect the loader of shared objects. */
  readonly loader: string;
}

export const ARCHITECTURES: readonly Architecture[] = [
  { image: 'amd64', node: 'x64', triplet: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  { image: 'arm64', node: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
];

/** By its name in images; by default that of this machine. Throws for one that has no image. */
export function architectureOf(name: string): Architecture {
  const wanted = name === '' ? process.arch : name;
  const found = ARCHITECTURES.find(({ image, node }) => image === wanted || node === wanted);
  if (found === undefined) throw new Error(`there is no image for ${wanted}: set ARCH to amd64 or arm64`);
  return found;
}
