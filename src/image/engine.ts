import { spawnSync } from 'node:child_process';

/** What builds images from Dockerfiles. */
export type Engine = 'docker' | 'podman' | 'buildah';

const ENGINES = ['docker', 'podman', 'buildah'] as const;

/** The wanted one, or the first that works here. Throws one sentence that says what to install. */
export function chooseEngine(wanted: string, works = hasWorkingEngine): Engine {
  const candidates = ENGINES.filter((engine) => wanted === '' || engine === wanted);
  if (candidates.length === 0) throw new Error(`ENGINE is ${wanted}: set it to docker, podman or buildah`);
  const found = candidates.find(works);
  if (found !== undefined) return found;
  throw new Error(
    `an image needs ${candidates.join(', ')}, and none works here: install one, on Debian \`apt-get install buildah\``,
  );
}

/** Docker without its daemon builds nothing: `info` fails then. */
function hasWorkingEngine(engine: Engine): boolean {
  return spawnSync(engine, ['info'], { stdio: 'ignore' }).status === 0;
}

export interface ImageBuild {
  /** `amd64` or `arm64`. */
  readonly architecture: string;
  /** `name:tag`. */
  readonly reference: string;
  readonly version: string;
  /** Seconds since 1970, of all files and of the image. */
  readonly sourceDate: number;
}

/** The command that builds the Dockerfile of this folder, as arguments of the engine. */
export function buildCommand(engine: Engine, build: ImageBuild): readonly string[] {
  const common = [
    'build',
    `--platform=linux/${build.architecture}`,
    `--build-arg=VERSION=${build.version}`,
    `--tag=${build.reference}`,
  ];
  // BuildKit knows the time as a build argument only.
  const time =
    engine === 'docker'
      ? `--build-arg=SOURCE_DATE_EPOCH=${build.sourceDate}`
      : `--timestamp=${build.sourceDate}`;
  // Layers are the default of the others. The label would name the version of buildah.
  const likeOthers = engine === 'buildah' ? ['--layers', '--identity-label=false'] : [];
  return [...common, time, ...likeOthers, '.'];
}

/** The command that writes the image to a file, in the format of `docker save`. */
export function saveCommand(engine: Engine, reference: string, file: string): readonly string[] {
  if (engine === 'buildah') return ['push', reference, `docker-archive:${file}:${reference}`];
  return ['save', '--output', file, reference];
}
