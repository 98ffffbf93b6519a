import { describe, expect, it } from 'vitest';
import { buildCommand, chooseEngine, saveCommand, type Engine } from './engine.ts';

const has =
  (...engines: readonly Engine[]) =>
  (engine: Engine): boolean =>
    engines.includes(engine);

const build = { architecture: 'arm64', reference: 'keyferry:1', version: '1', sourceDate: 7 };

describe('the engine that builds the image', () => {
  it('is the first that works', () => {
    expect(chooseEngine('', has('podman', 'buildah'))).toBe('podman');
  });

  it('is the wanted one, or none', () => {
    expect(chooseEngine('buildah', has('docker', 'buildah'))).toBe('buildah');
    expect(() => chooseEngine('podman', has('docker'))).toThrow('an image needs podman, and none works here');
    expect(() => chooseEngine('kaniko', has('docker'))).toThrow(
      'ENGINE is kaniko: set it to docker, podman or buildah',
    );
  });

  it('is asked for by name where none works', () => {
    expect(() => chooseEngine('', has())).toThrow(
      'an image needs docker, podman, buildah, and none works here: install one, on Debian `apt-get install buildah`',
    );
  });

  it.each<[Engine, string]>([
    ['docker', '--build-arg=SOURCE_DATE_EPOCH=7'],
    ['podman', '--timestamp=7'],
    ['buildah', '--timestamp=7'],
  ])('%s gets the platform and the time of the source', (engine, time) => {
    expect(buildCommand(engine, build)).toEqual(
      expect.arrayContaining(['build', '--platform=linux/arm64', '--tag=keyferry:1', time, '.']),
    );
  });

  it('writes the format of docker save', () => {
    expect(saveCommand('docker', 'keyferry:1', '/a.tar')).toEqual([
      'save',
      '--output',
      '/a.tar',
      'keyferry:1',
    ]);
    expect(saveCommand('buildah', 'keyferry:1', '/a.tar')).toEqual([
      'push',
      'keyferry:1',
      'docker-archive:/a.tar:keyferry:1',
    ]);
  });
});
