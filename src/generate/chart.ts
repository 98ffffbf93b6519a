import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chartReadme, valuesYaml } from './chart-documents.ts';
import { configTemplates, crdTemplate } from './chart-templates.ts';
import { valuesSchema } from './chart-values.ts';

const CHART = 'charts/keyferry';
/** Folder of the CRDs in the chart; every file in it is generated. */
export const CHART_CRDS = `${CHART}/templates/crds`;

/**
 * The generated files of the chart: path below the project → content. `crds`: file name → content, as in crds/. `root`: the
 * project, with config/ and the introduction of the README.
 */
export function chartFiles(root: string, crds: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const schema = valuesSchema();
  const introduction = readFileSync(join(root, CHART, 'introduction.md'), 'utf8');
  return new Map([
    ...[...crds].map(([file, crd]) => [`${CHART_CRDS}/${file}`, crdTemplate(crd)] as const),
    [`${CHART}/templates/_config.tpl`, configTemplates(root)],
    [`${CHART}/values.schema.json`, `${JSON.stringify(schema, undefined, 2)}\n`],
    [`${CHART}/values.yaml`, valuesYaml(schema)],
    [`${CHART}/README.md`, chartReadme(schema, introduction)],
  ]);
}
