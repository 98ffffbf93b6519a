import { arch, platform } from 'node:process';
import type { PublishedArchive } from './published.ts';

export const OPENBAO_VERSION = '2.6.2';

const RELEASES = 'https://github.com/openbao/openbao/releases/download';

/** From `checksums.txt` of the release, which OpenBao signs. */
const SHA256: Readonly<Record<string, string>> = {
  linux_amd64: '8dc11cc5fca0b539a9e352727dacb4e2d304daffcf9a66e0718ac325a20d05aa',
  linux_arm64: '1b408e01f3565ac0cbcb88d637dca271d0515148fb72efdeff4473a34fa50c4e',
  darwin_amd64: '64fdf1ce8f410bbc1531d2f0ea142d21b4e755b986542025a00294999a8cfaa5',
  darwin_arm64: '4e495376174accc0e014d31e9901f518a974f966850c839f626347eaac05fd52',
};

/** The release for this machine, or undefined. KEYFERRY_OPENBAO_RELEASES names a mirror of the releases; the pins stay. */
export function openBaoArchive(environment: NodeJS.ProcessEnv): PublishedArchive | undefined {
  const system = `${platform}_${arch === 'x64' ? 'amd64' : arch}`;
  const sha256 = SHA256[system];
  if (sha256 === undefined) return undefined;
  const releases = environment['KEYFERRY_OPENBAO_RELEASES'] ?? RELEASES;
  const file = `openbao_${OPENBAO_VERSION}_${system}.tar.gz`;
  return { url: `${releases}/v${OPENBAO_VERSION}/${file}`, sha256, member: 'bao' };
}
