import { OperatorError } from '#src/errors.ts';
import type { Address } from '../document.ts';
import { compilePathTemplate, type PathTemplate, type RenderedPath } from './path-template.ts';
import type { Renaming, Rule } from './renaming.ts';

/** Whether addresses of a backend are single names or paths. The values are those of the driver contract. */
export type Addressing = 'flat' | 'tree';

/**
 * Maps addresses between the two backends of one migration. A document has the name that it has at the source: that of a
 * Secret or file, or the {name} part of a path. Flat backends store it under its name, trees at the path of the template.
 */
export interface Route {
  /** Tree sources: the folder to list. Flat sources: ''. */
  readonly sourceFolder: Address;
  /** Tree destinations: the folder of all targets if they share one, else undefined. */
  readonly destinationFolder: Address | undefined;
  /** True when the target of a document depends on its labels. */
  readonly needsLabels: boolean;
  /** The name of the document at a source address; undefined when the address does not match the template. */
  nameOf(source: Address): string | undefined;
  /**
   * The name of the document at a source address below the names of `nameOf`: it has several segments. Undefined when the
   * address does not match the template either. Such a name has a destination only if a rule gives it one.
   */
  nestedNameOf(source: Address): string | undefined;
  /** The source address of the document of this name. */
  sourceOf(name: string): Address;
  /** The destination address of the document of this name. */
  destinationOf(name: string, labels: Readonly<Record<string, string>>): Destination;
  /**
   * The name of the document at a destination address, if no rule renames it. Undefined when the address does not tell it.
   */
  usualNameAt(destination: Address): string | undefined;
  /** The old addresses, where an older program may still store documents. */
  readonly fallback: FallbackRoute | undefined;
  /** The rule that renames this name, or that already renamed it. */
  ruleOf(name: string): Rule | undefined;
}

export type Destination =
  | { readonly path: Address; /** It already has its new name. */ readonly isRenamed: boolean }
  | { readonly missingLabel: string }
  /** The name has several segments, and the destination has single names. */
  | { readonly isNested: true };

/** The same names at their old addresses. */
export interface FallbackRoute {
  readonly folder: Address;
  nameOf(source: Address): string | undefined;
  sourceOf(name: string): Address;
}

/** How one backend maps names to addresses. */
interface Placement {
  readonly folder: Address;
  readonly reversible: boolean;
  toAddress: PathTemplate['toPath'];
  toName(address: Address): string | undefined;
}

const FLAT: Placement = {
  folder: '',
  reversible: true,
  toAddress: (name) => ({ path: name }),
  toName: (address) => address,
};

function placementOf(addressing: Addressing, template: PathTemplate): Placement {
  return addressing === 'flat'
    ? FLAT
    : { ...template, toAddress: (name, labels) => template.toPath(name, labels) };
}

export interface RouteOptions {
  /** `mapping.path`. */
  readonly path: string;
  readonly namespace: string;
  readonly addressing: { readonly source: Addressing; readonly destination: Addressing };
  readonly renaming: Renaming;
  /** `mapping.segmentSeparator`: joins the segments of a name where names have one. */
  readonly segmentSeparator?: string | undefined;
  /** `source.fallback.prefix`: the text before {name} in the old addresses. */
  readonly fallbackPrefix?: string | undefined;
}

/** Throws `SPEC_INVALID` when old and new addresses are the same. */
function compileFallback(
  { path, namespace, addressing, fallbackPrefix }: RouteOptions,
  nested: boolean,
): FallbackRoute | undefined {
  if (fallbackPrefix === undefined) return undefined;
  const [before = '', after = ''] = addressing.source === 'flat' ? [] : path.split('{name}');
  if (fallbackPrefix === before) {
    throw new OperatorError('SPEC_INVALID', {
      op: 'mapping.compile',
      target: 'spec.source.fallback.prefix',
      detail: 'fallback.prefix equals the current prefix.',
    });
  }
  const template = compilePathTemplate(`${fallbackPrefix}{name}${after}`, namespace, { nested });
  return {
    folder: addressing.source === 'flat' ? '' : template.folder,
    nameOf: (address) => template.toName(address),
    sourceOf: (name) => addressOf(template.toPath(name, {}), name),
  };
}

function addressOf(rendered: RenderedPath, name: string): Address {
  return 'path' in rendered ? rendered.path : name;
}

/** How a path becomes a single name; undefined for one with several segments and no separator. */
function flattening(separator: string | undefined): (name: string) => string | undefined {
  return (name) => {
    if (separator !== undefined) return name.replaceAll('/', separator);
    return name.includes('/') ? undefined : name;
  };
}

/** Throws `SPEC_INVALID` when the template does not work for this pair of backends. */
export function compileRoute(options: RouteOptions): Route {
  const { path, namespace, addressing, renaming } = options;
  const { segmentSeparator } = options;
  const flattens = addressing.source === 'tree' && addressing.destination === 'flat';
  if (segmentSeparator !== undefined && !flattens) {
    throw new OperatorError('SPEC_INVALID', {
      op: 'mapping.compile',
      target: 'spec.mapping.segmentSeparator',
      detail: 'segmentSeparator is supported only from paths to single names.',
    });
  }
  const place = flattens ? flattening(segmentSeparator) : (name: string) => name;
  // A name has several segments if both backends have paths, or if its segments can be joined.
  const nested = addressing.source === 'tree' && (!flattens || segmentSeparator !== undefined);
  const template = compilePathTemplate(path, namespace, { nested });
  const nestedTemplate = compilePathTemplate(path, namespace, { nested: true });
  const source = placementOf(addressing.source, template);
  const destination = placementOf(addressing.destination, template);
  if (!source.reversible) {
    throw new OperatorError('SPEC_INVALID', {
      op: 'mapping.compile',
      target: 'spec.mapping.path',
      detail: '{label:…} is supported only from Kubernetes to a path.',
    });
  }
  return {
    sourceFolder: source.folder,
    destinationFolder: destination.reversible ? destination.folder : undefined,
    needsLabels: !destination.reversible,
    nameOf: (address) => source.toName(address),
    nestedNameOf: (address) => (flattens ? nestedTemplate.toName(address) : undefined),
    sourceOf: (name) => addressOf(source.toAddress(name, {}), name),
    fallback: compileFallback(options, nested),
    destinationOf: (name, labels) => {
      const renamed = renaming.rename(name);
      if (renamed.kind === 'placed') return { path: renamed.address, isRenamed: false };
      const placed = place(renamed.kind === 'renamed' ? renamed.name : name);
      if (placed === undefined) return { isNested: true };
      const target = destination.toAddress(placed, labels);
      return 'path' in target ? { ...target, isRenamed: renamed.kind === 'already' } : target;
    },
    usualNameAt: (address) => destination.toName(address),
    ruleOf: (name) => {
      const renamed = renaming.rename(name);
      return renamed.kind === 'unchanged' ? undefined : renamed.rule;
    },
  };
}
