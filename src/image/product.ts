import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '#src/json/parse.ts';

const Manifest = z.object({ name: z.string(), version: z.string(), license: z.string() });

/** What package.json says of the operator. */
export type Product = z.infer<typeof Manifest>;

/** Where releases publish the image of a version. The chart and config/ name it, and `make image` builds it. */
export function publishedImage(version: string): string {
  return `ghcr.io/keyferry/keyferry:${version}`;
}

export function readProduct(root: string): Product {
  return Manifest.parse(parseJson(readFileSync(join(root, 'package.json'), 'utf8')));
}

/**
 * The time that all files of an image and its SBOM carry, in seconds since 1970: `SOURCE_DATE_EPOCH`
 * (reproducible-builds.org/specs/source-date-epoch), or that of the last commit.
 */
export function sourceDateOf(root: string, environment = process.env): number {
  const given = environment['SOURCE_DATE_EPOCH'] ?? dateOfCommit(root);
  if (!/^\d+$/.test(given)) {
    throw new Error(
      'SOURCE_DATE_EPOCH is not a number of seconds, and there is no commit to take the time from: set it',
    );
  }
  return Number(given);
}

function dateOfCommit(root: string): string {
  try {
    const args = ['-C', root, 'log', '-1', '--format=%ct'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}
