import type { Attributes } from '../document.ts';
import { compileMetadata } from './metadata.ts';
import type { Addressing } from './route.ts';

/** What decides which attributes one end of a migration can have: the traits of its driver. */
export interface End {
  readonly addressing: Addressing;
  readonly statesAttributes: boolean;
}

/**
 * The attributes of a source as they go along with its copy. `sourceGoes`: the source is removed once the copy is proven, so
 * what stays behind is lost.
 */
export type Traveling = (attributes: Attributes, sourceGoes: boolean) => Attributes;

/**
 * Labels and annotations of a Secret:
 *
 *   Secret → Secret   all labels; annotations if the source goes
 *   Secret → paths    the labels in mapping.labels, as metadata; all labels and annotations as such if the source goes
 *   paths  → paths    all metadata; the labels and annotations that a Secret left there
 *   paths  → Secret   the labels and annotations that a Secret left there, and the metadata in mapping.labels, as labels
 *   paths  → files    the metadata in mapping.labels. Nothing is lost: a removed path keeps its custom metadata
 */
export function compileTraveling(
  ends: { readonly source: End; readonly destination: End },
  labels: readonly string[],
): Traveling {
  const { source, destination } = ends;
  const addressing = { source: source.addressing, destination: destination.addressing };
  const chosen = compileMetadata(addressing, labels);
  const fromPaths = source.addressing === 'tree';
  const toPaths = destination.addressing === 'tree';
  return (attributes, sourceGoes) => {
    const { metadata, labels: left, annotations, ...rest } = attributes;
    const mapped = chosen(metadata);
    if (fromPaths && toPaths) return attributes;
    if (fromPaths) {
      if (!destination.statesAttributes) return { ...rest, ...present({ metadata: mapped }) };
      return { ...rest, ...present({ metadata: merged(left, mapped), annotations }) };
    }
    if (!sourceGoes) return { ...rest, ...present({ metadata: mapped }) };
    if (!toPaths) return { ...rest, ...present({ metadata: mapped, annotations }) };
    return { ...rest, ...present({ metadata: mapped, labels: metadata, annotations }) };
  };
}

type Notes = ReadonlyMap<string, string> | undefined;

/** The pairs of both; those of `over` win, because other tools can see and change them. */
function merged(under: Notes, over: Notes): Notes {
  if (under === undefined || over === undefined) return under ?? over;
  return new Map([...under, ...over]);
}

function present(parts: Readonly<Record<string, Notes>>): Attributes {
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined));
}
