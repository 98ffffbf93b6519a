import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { KINDS } from '#src/api/group.ts';
import { SETTINGS } from '#src/config/schema.ts';
import { publishedImage, readProduct } from '#src/image/product.ts';
import { FLAGS_OF_THE_CHART, operatorSchema, type JsonSchema } from './chart-flags.ts';
import { crdTemplate } from './chart-templates.ts';
import { valuesSchema } from './chart-values.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const read = (file: string): string => readFileSync(join(PROJECT, file), 'utf8');

const Chart = z.object({ appVersion: z.string(), annotations: z.record(z.string(), z.string()) });
const Values = z.object({
  image: z.object({ registry: z.string(), repository: z.string() }),
  resources: z.object({ limits: z.object({ memory: z.string() }) }),
});

/** Groups of values that take any name: parts of manifests, and what a parent chart shares. */
function openGroups(schema: JsonSchema, path: string): readonly string[] {
  const children = Object.entries(schema.properties ?? {});
  if (children.length === 0) return [];
  const below = children.flatMap(([name, child]) => openGroups(child, `${path}.${name}`));
  return schema['additionalProperties'] === false ? below : [path, ...below];
}

describe('the values of the chart', () => {
  it('have each flag of the operator, or say what it follows from', () => {
    const values = Object.keys(operatorSchema().properties ?? {});
    const settings = SETTINGS.map(({ key }) => key);
    expect([...values, ...Object.keys(FLAGS_OF_THE_CHART)].toSorted()).toEqual(settings.toSorted());
  });

  it('have the types and limits of the flags', () => {
    expect(operatorSchema().properties).toMatchObject({
      concurrentMigrations: { type: 'integer', minimum: 1, maximum: 64 },
      allowInsecureHttp: { type: 'boolean' },
      logLevel: { type: 'string', enum: ['debug', 'info', 'warn', 'error'] },
      allowConnectTo: { type: 'array', items: { type: 'string' } },
    });
  });

  it('refuse unknown names in each group but global', () => {
    expect(openGroups(valuesSchema(), '')).toEqual(['.global']);
  });

  it('limit the memory to half as much again as the heap, at least', () => {
    const heap = Number(/--max-old-space-size=(\d+)/.exec(read('src/launch.sh'))?.[1]);
    const { memory } = Values.parse(load(read('charts/keyferry/values.yaml'))).resources.limits;
    const [, gibibytes] = /^(\d+)Gi$/.exec(memory) ?? [];
    expect(Number(gibibytes) * 1024).toBeGreaterThanOrEqual(heap * 1.5);
  });
});

describe('Chart.yaml', () => {
  const chart = Chart.parse(load(read('charts/keyferry/Chart.yaml')));

  it('has the version of the operator', () => {
    expect(chart.appVersion).toBe(
      z.object({ version: z.string() }).parse(JSON.parse(read('package.json'))).version,
    );
  });

  it('names the image that make image builds, as config/ and the values do', () => {
    const { version } = readProduct(PROJECT);
    const published = publishedImage(version);
    const [listed] = z
      .tuple([z.object({ image: z.string() })])
      .parse(load(chart.annotations['artifacthub.io/images'] ?? ''));
    expect(listed.image).toBe(published);
    expect(read('config/operator/deployment.yaml')).toContain(` image: ${published}\n`);
    const { registry, repository } = Values.parse(load(read('charts/keyferry/values.yaml'))).image;
    expect(`${registry}/${repository}:${version}`).toBe(published);
  });

  it('lists each kind', () => {
    const listed = z
      .array(z.object({ kind: z.string() }))
      .parse(load(chart.annotations['artifacthub.io/crds'] ?? ''));
    expect(listed.map(({ kind }) => kind).toSorted()).toEqual(Object.keys(KINDS).toSorted());
  });
});

describe('a CRD as a template', () => {
  it('has the braces of a text as text', () => {
    const template = crdTemplate('kind: CustomResourceDefinition\nmetadata:\n  name: x\nspec: "{{a}}"\n');
    expect(template).toContain('spec: "{{ "{{" }}a}}"');
    expect(template).toContain('helm.sh/resource-policy: keep');
  });
});
