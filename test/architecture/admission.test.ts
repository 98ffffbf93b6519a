import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

/*
 * A policy names the fields that it asks about. A reference, an audience or a policy of a rule that is new in a CRD, and that
 * no policy names, would pass without the rights of its author.
 */

const ROOT = join(import.meta.dirname, '..', '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const NodeSchema = z.object({
  get properties() {
    return z.record(z.string(), NodeSchema).optional();
  },
  get items() {
    return NodeSchema.optional();
  },
});
type Node = z.infer<typeof NodeSchema>;
const CrdSchema = z.object({
  spec: z.object({ versions: z.array(z.object({ schema: z.object({ openAPIV3Schema: NodeSchema }) })) }),
});

/** The paths below spec whose last name matches; items of a list are the list. */
function pathsIn(crd: string, last: RegExp): readonly (readonly string[])[] {
  const [version] = CrdSchema.parse(load(read(`crds/keyferry.io_${crd}.yaml`))).spec.versions;
  const spec = version?.schema.openAPIV3Schema.properties?.['spec'];
  return spec === undefined ? [] : below(spec, []).filter((path) => last.test(path.at(-1) ?? ''));
}

function below(node: Node, path: readonly string[]): readonly (readonly string[])[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([name, child]) => [
    [...path, name],
    ...below(child, [...path, name]),
  ]);
  return node.items === undefined ? own : [...own, ...below(node.items, path)];
}

describe('the admission policy of backends', () => {
  const policy = read('config/admission/backends.yaml');

  it.each(['secretbackends', 'clustersecretbackends'])('asks about each reference of %s', (crd) => {
    const references = pathsIn(crd, /Ref$/);
    expect(references.length).toBeGreaterThan(6);
    const unasked = references.filter((path) => !policy.includes(`${path.slice(-2).join('.?')}.?name`));
    expect(unasked).toEqual([]);
  });

  it.each(['secretbackends', 'clustersecretbackends'])('asks about each audience of %s', (crd) => {
    const audiences = pathsIn(crd, /^audiences$/);
    expect(audiences.length).toBeGreaterThan(1);
    expect(
      audiences.filter(([, , ...end]) => !policy.includes(`variables.auth.?${end.join('.?')}.orValue`)),
    ).toEqual([]);
  });

  it.each(['secretbackends', 'clustersecretbackends'])('asks about each address of %s', (crd) => {
    expect(pathsIn(crd, /address/i)).toEqual([['openbao', 'address']]);
    expect(policy).toContain('object.spec.?openbao.?address');
  });
});

describe('the admission policy of migrations', () => {
  const policy = read('config/admission/migrations.yaml');

  it('asks about the sourcePolicy of the spec and of each rule', () => {
    const policies = pathsIn('secretmigrations', /^sourcePolicy$/);
    expect(policies.length).toBeGreaterThan(3);
    const unasked = policies.filter(
      ([first = '', list = '']) =>
        !policy.includes(
          first === 'sourcePolicy'
            ? 'object.spec.?sourcePolicy'
            : `variables.${first}.?${list}.orValue([]).map(rule, rule.?sourcePolicy`,
        ),
    );
    expect(unasked).toEqual([]);
  });

  it('takes a change for a mere approval only if it compares each other member of the spec', () => {
    const members = pathsIn('secretmigrations', /./).filter(({ length }) => length === 1);
    const compared = ([name = '']: readonly string[]): boolean =>
      policy.includes(`object.spec.?${name} == oldObject.spec.?${name}`);
    expect(members.length).toBeGreaterThan(10);
    expect(members.filter((path) => !compared(path))).toEqual([['approval']]);
  });
});
