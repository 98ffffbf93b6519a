import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crdOf, structuralSchemaOf } from './crd.ts';
import { driftedFiles, writeGeneratedFiles } from './generate.ts';
import { KIND_DEFINITIONS } from './kind-definitions.ts';
import type { StructuralSchema } from './structural.ts';

const PROJECT = join(import.meta.dirname, '..', '..');

interface Place {
  readonly path: string;
  readonly schema: StructuralSchema;
}

function placesBelow(path: string, schema: StructuralSchema): readonly Place[] {
  const below: (readonly [string, StructuralSchema])[] = Object.entries(schema.properties ?? {}).map(
    ([name, child]) => [`${path}.${name}`, child],
  );
  if (schema.items !== undefined) below.push([`${path}[]`, schema.items]);
  return [{ path, schema }, ...below.flatMap(([childPath, child]) => placesBelow(childPath, child))];
}

/** Every field that Keyferry describes: all except those that the apiserver owns. */
const PLACES = KIND_DEFINITIONS.flatMap((definition) =>
  placesBelow(definition.kind, structuralSchemaOf(definition)),
).filter(({ path }) => !/^\w+\.(metadata|apiVersion|kind)/.test(path));

/** Paths of the places that break a rule. */
function offenders(breaks: (schema: StructuralSchema) => boolean): readonly string[] {
  return PLACES.filter(({ schema }) => breaks(schema)).map(({ path }) => path);
}

describe('the schemas of all kinds', () => {
  it('describe every field in a sentence', () => {
    expect(PLACES.length).toBeGreaterThan(100);
    expect(offenders(({ description }) => !/^[A-Z].*[.]$/.test(description ?? ''))).toEqual([]);
  });

  it('bound every string', () => {
    expect(
      offenders((at) => at.type === 'string' && at.enum === undefined && at.maxLength === undefined),
    ).toEqual([]);
  });

  it('bound every list and say how it merges', () => {
    expect(
      offenders((at) => at.type === 'array' && (at.maxItems === undefined || !at['x-kubernetes-list-type'])),
    ).toEqual([]);
  });

  it('bound every number from below, and contain no map except the standard matchLabels', () => {
    expect(offenders((at) => at.type === 'integer' && at.minimum === undefined)).toEqual([]);
    expect(offenders((at) => at.additionalProperties !== undefined)).toEqual([
      'SecretMigration.spec.select.labelSelector.matchLabels',
    ]);
  });
});

describe('crdOf', () => {
  it.each(KIND_DEFINITIONS.map((definition) => [definition.kind, definition] as const))(
    'gives %s what kubectl needs',
    (kind, definition) => {
      const { metadata, spec } = crdOf(definition);
      expect(metadata.name).toBe(`${spec.names.plural}.keyferry.io`);
      expect(spec.names.kind).toBe(kind);
      expect(spec.names.categories).toEqual(['keyferry']);
      expect(spec.versions).toHaveLength(1);
      expect('subresources' in (spec.versions[0] ?? {})).toBe(definition.hasStatus);
    },
  );
});

describe('generated files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyferry-generate-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('are those in the project', () => {
    expect(driftedFiles(PROJECT)).toEqual([]);
  });

  it('are all reported as missing in an empty project, and none after writing', () => {
    expect(driftedFiles(folder)).toContain('crds/keyferry.io_secretmigrations.yaml');
    writeGeneratedFiles(folder);
    expect(driftedFiles(folder)).toEqual([]);
  });

  it('are reported when one is changed, added or removed, and correct after writing again', () => {
    writeGeneratedFiles(folder);
    const crd = join(folder, 'crds/keyferry.io_secretbackends.yaml');
    writeFileSync(crd, `${readFileSync(crd, 'utf8')}# edited\n`);
    writeFileSync(join(folder, 'crds/keyferry.io_old.yaml'), '');
    rmSync(join(folder, 'docs/spec/v1alpha1/secretbackend.md'));
    expect(driftedFiles(folder)).toEqual([
      'crds/keyferry.io_old.yaml',
      'crds/keyferry.io_secretbackends.yaml',
      'docs/spec/v1alpha1/secretbackend.md',
    ]);
    writeGeneratedFiles(folder);
    expect(driftedFiles(folder)).toEqual([]);
  });
});
