import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseJson } from '#src/json/parse.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { isKubeObject } from '#src/runtime/listing.ts';
import { Problem } from '../problem.ts';
import { lock } from './lock.ts';
import type { ObjectStore } from './objects.ts';

/*
 * The state of a migration without a cluster: a folder with one JSON file for each object, as the API server would have it.
 * It has rows, versions and identities, never a value. Losing it costs time, never data: the next run begins as a new
 * migration does.
 */

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** The folder of a migration: `--state`, else `.keyferry/<namespace>/<name>` beside the manifest. */
export function stateFolderOf(
  manifest: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  given: string | undefined,
): string {
  if (given !== undefined) return resolve(given);
  const beside = manifest === '-' ? '.' : dirname(manifest);
  return resolve(beside, '.keyferry', namespace, name);
}

/** What earlier runs stored; empty without a folder. Throws `Problem` for files that are not what a run writes. */
export async function readState(folder: string): Promise<readonly KubeObject[]> {
  const names = await readdir(folder).catch((failure: unknown) => {
    if (hasErrno(failure, 'ENOENT')) return [];
    throw new Problem(`The folder ${folder} of the state cannot be read. Name another one with --state.`);
  });
  const files = names.filter((name) => name.endsWith('.json')).toSorted();
  return Promise.all(files.map(async (name) => readObject(join(folder, name))));
}

async function readObject(path: string): Promise<KubeObject> {
  const object = await readFile(path, 'utf8')
    .then((text): unknown => parseJson(text))
    .catch(() => undefined);
  if (isKubeObject(object) && object.kind !== undefined) return object;
  throw new Problem(
    `${path} is not a file of the state of a migration. Restore it, or remove the folder ${dirname(path)}: the next run then begins as a new migration. No value is lost with it.`,
  );
}

/** The folder, held against other runs until it is disposed of. */
export class StateFolder implements ObjectStore, AsyncDisposable {
  readonly #path: string;
  readonly #release: () => Promise<void>;

  private constructor(path: string, release: () => Promise<void>) {
    this.#path = path;
    this.#release = release;
  }

  /** Throws `Problem` if it cannot be created, or while another run holds it. */
  static async open(path: string): Promise<StateFolder> {
    try {
      await mkdir(path, { recursive: true, mode: FOLDER_MODE });
      return new StateFolder(path, await lock(join(path, 'lock')));
    } catch (failure) {
      if (failure instanceof Problem) throw failure;
      throw new Problem(
        `The folder ${path} for the state of the migration cannot be written. Name another one with --state.`,
      );
    }
  }

  /** After a crash at any moment the file has either the old or the new object. */
  async write(object: KubeObject): Promise<void> {
    const path = join(this.#path, `${object.kind}.${object.metadata.name}.json`);
    const file = await open(`${path}.new`, 'w', FILE_MODE);
    try {
      await file.writeFile(`${JSON.stringify(object, undefined, 1)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await syncFolder(this.#path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#release();
  }
}

/** A rename is durable with its folder. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function hasErrno(failure: unknown, code: string): boolean {
  return failure instanceof Error && 'code' in failure && failure.code === code;
}
