import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { API_VERSION } from '#src/api/group.ts';
import type { DirectorySpec } from '#src/backends/directory/spec.ts';
import type { Cluster } from '#test/cluster/cluster.ts';

/** The --directory-root of every operator of this cluster, removed with the cluster. */
export function directoryRootOf(cluster: Cluster): string {
  const root = join(cluster.folder, 'directory-root');
  mkdirSync(root, { recursive: true, mode: 0o700 });
  return root;
}

/** The folder of a namespace below it, for a backend without a path. */
export function tokenFolderOf(cluster: Cluster, namespace: string): string {
  const folder = join(directoryRootOf(cluster), namespace);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Writes files in place, as an editor does. A name can include a folder. */
export function plantFiles(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, name), content, { mode: 0o600 });
  }
}

/** The content of each file in the folder, including hidden files, without subfolders. */
export function filesIn(folder: string): Readonly<Record<string, string>> {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(files.map(({ name }) => [name, readFileSync(join(folder, name), 'utf8')]));
}

export function aDirectoryBackend(directory: Partial<DirectorySpec> = {}, name = 'files') {
  return {
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name },
    spec: { type: 'directory', directory: { trailingNewline: 'Strip', ...directory } },
  };
}
