import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import type { Attributes } from '#src/core/document.ts';
import type { End, Traveling } from '#src/core/mapping/traveling.ts';
import { OperatorError } from '#src/errors.ts';
import { quoted } from '#src/errors/explain.ts';

/*
 * What gives a document another shape at the destination than it has at the source, and which ends that is for.
 */

/** A Secret of this type is one without a type: see `Attributes`. */
const DEFAULT_TYPE = 'Opaque';

type Mapping = SecretMigration['spec']['mapping'];

export interface Ends {
  readonly source: End;
  readonly destination: End;
}

/** Throws `SPEC_INVALID` for a shape that these two ends cannot have. */
export function requireShapes({ spec }: SecretMigration, ends: Ends): void {
  const { mapping } = spec;
  requireDivision(spec, ends);
  const decoded = (mapping.keys ?? []).findIndex(({ decode }) => decode !== undefined);
  if (decoded >= 0 && !becomeFlat(ends)) {
    throw invalid(`spec.mapping.keys[${decoded}].decode`, {
      detail: 'decode is supported only from paths to Secrets or files.',
      hint: 'Remove it: elsewhere a value is moved as it is written.',
    });
  }
  const typed = typedField(mapping);
  if (typed === undefined || becomeSecrets(ends)) return;
  throw invalid(typed, {
    detail: 'secretType is supported only from paths or files to Secrets.',
    hint: 'Remove it: elsewhere a document keeps the type that it has.',
  });
}

/** One document of several, or several of one. */
function requireDivision({ mapping: { join, split }, select }: SecretMigration['spec'], ends: Ends): void {
  if (join !== undefined && !becomeFlat(ends))
    throw invalid('spec.mapping.join', {
      detail: 'join is supported only from paths to Secrets or files.',
      hint: 'Remove it: elsewhere each document stays one document.',
    });
  if (split === undefined) return;
  if (!becomePaths(ends))
    throw invalid('spec.mapping.split', {
      detail: 'split is supported only from Secrets or files to paths.',
      hint: 'Remove it: elsewhere each document stays one document.',
    });
  const named = { 'spec.select.names': select.names, 'spec.select.exclude.names': select.exclude?.names };
  for (const [target, names = []] of Object.entries(named)) {
    const whole = names.find((name) => !name.includes('/'));
    if (whole === undefined) continue;
    throw invalid(target, {
      detail: `With spec.mapping.split, a name is that of a document and its key, not ${quoted(whole)}.`,
      hint: 'Name keys as <name>/<key>; for all keys of a document use prefix, or exclude.prefixes: <name>/.',
    });
  }
}

function becomePaths({ source, destination }: Ends): boolean {
  return source.addressing === 'flat' && destination.addressing === 'tree';
}

function becomeFlat({ source, destination }: Ends): boolean {
  return source.addressing === 'tree' && destination.addressing === 'flat';
}

function becomeSecrets({ source, destination }: Ends): boolean {
  return destination.statesAttributes && !source.statesAttributes;
}

/** The first field that names a type. */
function typedField({ overrides = [], secretType }: Mapping): string | undefined {
  if (secretType !== undefined) return 'spec.mapping.secretType';
  const typed = overrides.findIndex((each) => each.secretType !== undefined);
  return typed < 0 ? undefined : `spec.mapping.overrides[${typed}].secretType`;
}

/** The type of the Secret that the document of this name becomes, if it has none of its own; undefined: Opaque. */
export function compileSecretTypes({
  overrides = [],
  secretType,
}: Mapping): (name: string) => string | undefined {
  const own = new Map(overrides.map((each) => [each.name, each.secretType]));
  return (name) => own.get(name) ?? secretType;
}

/** The attributes with this type, unless they have one. */
export function withType(attributes: Attributes, type: string | undefined): Attributes {
  if (type === undefined || type === DEFAULT_TYPE || attributes.type !== undefined) return attributes;
  return { ...attributes, type };
}

/** A key of a Secret is not a Secret of its type, which requires other keys beside it. */
export function compilePieces({ split }: Mapping, traveling: Traveling): Traveling {
  if (split === undefined) return traveling;
  return (attributes, sourceGoes) => {
    const { type: _type, immutable: _immutable, ...rest } = traveling(attributes, sourceGoes);
    return rest;
  };
}

function invalid(target: string, said: { readonly detail: string; readonly hint: string }): OperatorError {
  return new OperatorError('SPEC_INVALID', { op: 'mapping.compile', target, ...said });
}
