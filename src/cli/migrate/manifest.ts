import { API_VERSION } from '#src/api/group.ts';
import { Problem } from '../problem.ts';
import { parseBackend, type BackendRef } from './ends.ts';
import { selectOf, type SelectionFlags } from './selection.ts';

/** The flags that say what the SecretMigration is. */
export interface ManifestFlags extends SelectionFlags {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly name?: string | undefined;
  readonly mode?: string | undefined;
  readonly keepSource?: boolean | undefined;
  readonly deleteSource?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** A SecretMigration as a person would write it: without the defaults of the API. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: 'SecretMigration';
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** What the flags ask for. */
export interface Wanted {
  readonly manifest: Manifest;
  readonly ends: readonly [BackendRef, BackendRef];
  readonly removesSources: boolean;
}

/** The SecretMigration of these flags. Throws `Problem` where they contradict each other. */
export function wantedBy(flags: ManifestFlags, namespace: string | undefined): Wanted {
  const mode = modeOf(flags.mode);
  const removesSources = flags.deleteSource === true;
  if (removesSources && flags.keepSource === true)
    throw new Problem('Choose one of --keep-source and --delete-source.');
  if (removesSources && mode === 'Sync')
    throw new Problem('--delete-source needs --mode Once: a source that is removed cannot be kept in step.');
  const [source, destination] = endsOf(flags);
  const { name = `${source.name}-to-${destination.name}`.slice(0, MAX_NAME) } = flags;
  const manifest: Manifest = {
    apiVersion: API_VERSION,
    kind: 'SecretMigration',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec: {
      ...(mode === 'Sync' ? { mode } : {}),
      source: { backendRef: shortRef(source) },
      destination: { backendRef: shortRef(destination) },
      select: selectOf(flags),
      ...(removesSources ? { sourcePolicy: 'Delete' } : {}),
      ...(flags.dryRun === true ? { dryRun: true } : {}),
    },
  };
  return { manifest, ends: [source, destination], removesSources };
}

function endsOf({ from, to }: ManifestFlags): readonly [BackendRef, BackendRef] {
  if (from === undefined || to === undefined)
    throw new Problem('Say where the values are and where they go: --from and --to, each with a backend.');
  return [parseBackend('--from', from), parseBackend('--to', to)];
}

const MAX_NAME = 253;

function modeOf(text: string | undefined): 'Once' | 'Sync' {
  const mode = (['Once', 'Sync'] as const).find(
    (each) => each.toLowerCase() === (text ?? 'Once').toLowerCase(),
  );
  if (mode === undefined) throw new Problem('--mode: write Once or Sync.');
  return mode;
}

function shortRef({ kind, name }: BackendRef): object {
  return kind === 'SecretBackend' ? { name } : { kind, name };
}
