import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '#test/cluster/cluster.ts';

/** What every operator of this cluster is started with as --directory-root; it goes with the cluster. */
export function directoryRootOf(cluster: Cluster): string {
  const root = join(cluster.folder, 'directories');
  mkdirSync(root, { recursive: true, mode: 0o700 });
  return root;
}

/** The folder of a tenant, or one below it, as the service sees it that keeps its tokens there. */
export class TokenFiles {
  readonly folder: string;

  constructor({ cluster, namespace }: { readonly cluster: Cluster; readonly namespace: string }, path = '') {
    this.folder = join(directoryRootOf(cluster), namespace, path);
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
  }

  /** Writes a file, as an editor does: into what is there. `name` may be one in a folder. */
  put(name: string, content: string | Buffer): void {
    mkdirSync(join(this.folder, name, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(join(this.folder, name), content, { mode: 0o600 });
  }

  /** Name → bytes of everything that is there, hidden files and those in folders as well. */
  all(): ReadonlyMap<string, Buffer> {
    const names = readdirSync(this.folder, { recursive: true, encoding: 'utf8' }).toSorted();
    const files = names.filter((name) => lstatSync(join(this.folder, name)).isFile());
    return new Map(files.map((name) => [name, readFileSync(join(this.folder, name))]));
  }

  /** What can be read, once for each file: several names of one are one place. */
  contents(): readonly string[] {
    const byNumber = new Map(
      [...this.all()].map(([name, bytes]) => [lstatSync(join(this.folder, name)).ino, bytes.toString()]),
    );
    return [...byNumber.values()];
  }

  /** The same as text. */
  texts(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.all()].map(([name, bytes]) => [name, bytes.toString()]));
  }
}
