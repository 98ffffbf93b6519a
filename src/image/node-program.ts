import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { parseJson } from '#src/json/parse.ts';
import type { Architecture } from './architecture.ts';

const run = promisify(execFile);

const Manifest = z.object({ name: z.string(), version: z.string() });

/** The npm package with the program of Node for one architecture (ADR 0001). */
export interface NodePackage {
  readonly name: string;
  readonly version: string;
  /** Path of the program. */
  readonly program: string;
  readonly license: string;
}

/** The installed one where it fits; else npm fetches it below `work`, at the version and with the integrity of the lockfile. */
export async function findNodePackage(
  root: string,
  { node }: Architecture,
  work: string,
): Promise<NodePackage> {
  const name = `node-linux-${node}`;
  if (!existsSync(join(root, 'node_modules', name))) {
    await mkdir(work, { recursive: true });
    for (const file of ['package.json', 'package-lock.json', '.npmrc'])
      await cp(join(root, file), join(work, file));
    await run('npm', ['ci', '--omit=dev', '--os=linux', `--cpu=${node}`], { cwd: work });
  }
  const parent = [root, work].find((folder) => existsSync(join(folder, 'node_modules', name)));
  if (parent === undefined)
    throw new Error(`npm did not install ${name}: look at optionalDependencies of package.json`);
  const folder = join(parent, 'node_modules', name);
  const { version } = Manifest.parse(parseJson(readFileSync(join(folder, 'package.json'), 'utf8')));
  const license = readFileSync(join(folder, 'LICENSE'), 'utf8').trim();
  return { name, version, program: join(folder, 'bin', 'node'), license };
}
