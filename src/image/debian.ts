import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Architecture } from './architecture.ts';

const run = promisify(execFile);

/** What the program of Node is linked to, beside the loader; `readelf -d` shows it. */
const SHARED_OBJECTS = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
];
const PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6'];

/** A Debian package of which files are in the image. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Its control file, as scanners of images expect it in /var/lib/dpkg/status.d. */
  readonly control: string;
  readonly copyright: string;
}

/**
 * Fetches the C and C++ libraries of Node from Debian, for any architecture, with the sources, keys and signature checks
 * of this machine's apt; its own lists and packages stay as they are. Writes the shared objects below `target`; `work`
 * keeps what apt needs.
 */
export async function placeLibraries(
  architecture: Architecture,
  { work, target }: { readonly work: string; readonly target: string },
): Promise<readonly DebianPackage[]> {
  const archives = join(work, 'archives');
  const unpacked = join(work, 'unpacked');
  for (const folder of [archives, unpacked]) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
  }
  await apt(architecture, work, ['update']);
  await apt(architecture, work, ['download', ...PACKAGES]);
  const documented = await sharedDocumentation(archives);
  if (documented.length > 0) await apt(architecture, work, ['download', ...documented]);
  const files = (await readdir(archives)).toSorted().map((name) => join(archives, name));
  for (const file of files) await run('dpkg-deb', ['--extract', file, unpacked]);
  await copySharedObjects(architecture, unpacked, target);
  const packages: DebianPackage[] = [];
  for (const file of files) packages.push(await describe(file, unpacked));
  return packages;
}

async function apt(architecture: Architecture, work: string, command: readonly string[]): Promise<void> {
  const state = join(work, 'state');
  await mkdir(state, { recursive: true });
  const settings = {
    'Dir::State': state,
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(work, 'cache'),
    'APT::Architecture': architecture.image,
    'APT::Architectures': architecture.image,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  try {
    await run('apt-get', ['-q', ...options, ...command], { cwd: join(work, 'archives') });
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the image takes the C libraries of Node from Debian, and apt-get ${command.join(' ')} for ${architecture.image} failed: ${what}. Build it on Debian, in a container of Debian if need be.`,
      { cause: error },
    );
  }
}

/** The package of the compiler's version has the copyright file of its libraries: `gcc-12-base`. */
async function sharedDocumentation(archives: string): Promise<readonly string[]> {
  const names = new Set<string>();
  for (const name of await readdir(archives)) {
    const depends = await field(join(archives, name), 'Depends');
    for (const [found] of depends.matchAll(/\bgcc-\d+-base\b/g)) names.add(found);
  }
  return [...names].toSorted();
}

async function copySharedObjects(
  { triplet, loader }: Architecture,
  unpacked: string,
  target: string,
): Promise<void> {
  const objects = SHARED_OBJECTS.map((name) => ({ name, to: join('lib', triplet, name) }));
  for (const { name, to } of [...objects, { name: basename(loader), to: loader }]) {
    const file = join(target, to);
    await mkdir(dirname(file), { recursive: true });
    await cp(await find(unpacked, triplet, name), file, { dereference: true });
  }
}

/** Debian keeps them in /lib until version 12, in /usr/lib after it. */
async function find(unpacked: string, triplet: string, name: string): Promise<string> {
  for (const folder of ['lib', 'usr/lib']) {
    const names: readonly string[] = await readdir(join(unpacked, folder, triplet)).catch(() => []);
    if (names.includes(name)) return join(unpacked, folder, triplet, name);
  }
  throw new Error(`Debian's packages ${PACKAGES.join(', ')} have no ${name} for ${triplet}`);
}

async function describe(file: string, unpacked: string): Promise<DebianPackage> {
  const [name, version] = [await field(file, 'Package'), await field(file, 'Version')];
  const copyright = await readFile(join(unpacked, 'usr/share/doc', name, 'copyright'), 'utf8');
  return { name, version, control: `${await field(file)}\n`, copyright: copyright.trim() };
}

/** A field of the control file, or all of it. */
async function field(file: string, ...names: readonly string[]): Promise<string> {
  return (await run('dpkg-deb', ['--field', file, ...names])).stdout.trim();
}

/** Where scanners of images look for Debian's packages. */
export async function writeStatus(packages: readonly DebianPackage[], target: string): Promise<void> {
  const folder = join(target, 'var/lib/dpkg/status.d');
  await mkdir(folder, { recursive: true });
  for (const { name, control } of packages) await writeFile(join(folder, name), control);
}
