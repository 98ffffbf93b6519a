import { OperatorError } from '#src/errors.ts';
import { compilePathTemplate, type PathTemplate } from './path-template.ts';
import type { Address } from '../document.ts';

/** Whether addresses of a store are single names or paths; the same words as in the driver contract. */
export type Addressing = 'flat' | 'tree';

/**
 * The way between the two stores of one migration. A document is called by its name (that of the Secret); the tree
 * side keeps it at the path that the template gives to the name.
 */
export interface Route {
  /** Tree sources: the folder to list. Flat sources: ''. */
  readonly sourceFolder: Address;
  /** Tree destinations: the folder that holds every target when it is one and the same, else undefined. */
  readonly destinationFolder: Address | undefined;
  /** The name of the document at a source address; undefined when the address is not of the mapped shape. */
  nameOf(source: Address): string | undefined;
  /** Where the source keeps the document of this name. */
  sourceOf(name: string): Address;
  /** Where the destination shall keep it. */
  destinationOf(name: string, labels: Readonly<Record<string, string>>): Destination;
}

export type Destination = { readonly path: Address } | { readonly missingLabel: string };

function fromFlatToTree(template: PathTemplate): Route {
  return {
    sourceFolder: '',
    destinationFolder: template.reversible ? template.folder : undefined,
    nameOf: (source) => source,
    sourceOf: (name) => name,
    destinationOf: (name, labels) => template.toPath(name, labels),
  };
}

function fromTreeToFlat(template: PathTemplate): Route {
  if (!template.reversible) {
    throw new OperatorError('SPEC_INVALID', {
      op: 'mapping.compile',
      target: 'spec.mapping.path',
      detail:
        '{label:…} works only from Kubernetes to a path; on the way back a path does not tell the label.',
    });
  }
  return {
    sourceFolder: template.folder,
    destinationFolder: '',
    nameOf: (source) => template.toName(source),
    sourceOf: (name) => {
      const rendered = template.toPath(name, {});
      return 'path' in rendered ? rendered.path : name;
    },
    destinationOf: (name) => ({ path: name }),
  };
}

/** Throws `SPEC_INVALID` when the template or the pair of stores makes no route. */
export function compileRoute(
  template: string,
  namespace: string,
  stores: { readonly source: Addressing; readonly destination: Addressing },
): Route {
  const compiled = compilePathTemplate(template, namespace);
  if (stores.source === 'flat' && stores.destination === 'tree') return fromFlatToTree(compiled);
  if (stores.source === 'tree' && stores.destination === 'flat') return fromTreeToFlat(compiled);
  throw new OperatorError('SPEC_INVALID', {
    op: 'mapping.compile',
    target: 'spec.source, spec.destination',
    detail: 'One side must be a backend of type kubernetes and the other one a path store such as openbao.',
  });
}
