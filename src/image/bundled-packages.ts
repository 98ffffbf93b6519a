import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '#src/json/parse.ts';

const FolderList = z.array(z.string());
const Lock = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({
      version: z.string().optional(),
      license: z.string().optional(),
      integrity: z.string().optional(),
    }),
  ),
});
const LICENSE_FILE = /^(licen[cs]e|copying|notice)\b/i;

/** An npm package whose code is in the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As its package.json declares it: an SPDX expression. */
  readonly license: string;
  /** Of its archive in the registry, as package-lock.json has it: `sha512-<base64>`. */
  readonly integrity: string;
  /** The text of each file with its terms; empty where it ships none. */
  readonly texts: readonly string[];
}

/** The folders in dist/packages.json, which the build writes, with what package-lock.json says of each. Throws for a package without license. */
export function readBundledPackages(root: string): readonly BundledPackage[] {
  const folders = FolderList.parse(readJson(join(root, 'dist', 'packages.json')));
  const { packages } = Lock.parse(readJson(join(root, 'package-lock.json')));
  return folders.map((folder) => {
    const { version, license, integrity } = packages[folder] ?? {};
    if (version === undefined || license === undefined || integrity === undefined) {
      throw new Error(
        `${folder} is in the bundle, and package-lock.json has no version, license or integrity for it: add the license by hand, or use another package`,
      );
    }
    return { name: nameOf(folder), version, license, integrity, texts: licenseTextsOf(join(root, folder)) };
  });
}

/** `node_modules/a/node_modules/@b/c` → `@b/c`. */
function nameOf(folder: string): string {
  return folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function licenseTextsOf(folder: string): readonly string[] {
  const files = readdirSync(folder).filter((name) => LICENSE_FILE.test(basename(name)));
  return files.toSorted().map((name) => readFileSync(join(folder, name), 'utf8').trim());
}

function readJson(file: string): unknown {
  return parseJson(readFileSync(file, 'utf8'));
}
