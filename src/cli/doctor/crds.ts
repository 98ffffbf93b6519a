import { z } from 'zod';
import { GROUP, KINDS, VERSION, type Kind } from '#src/api/group.ts';
import { ClusterSecretBackendSchema } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { SecretBackendSchema } from '#src/api/v1alpha1/secret-backend.ts';
import { SecretMigrationReportSchema } from '#src/api/v1alpha1/secret-migration-report.ts';
import { SecretMigrationSchema } from '#src/api/v1alpha1/secret-migration.ts';
import { firstNames } from '#src/errors/explain.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import type { Resource } from '#src/kube/resource.ts';
import type { Examined, Finding } from './finding.ts';
import { at, listAt, textAt } from '../members.ts';
import { mayNotLook, readObject } from './read.ts';

const CRDS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
const SCHEMAS: Readonly<Record<Kind, z.ZodType>> = {
  SecretBackend: SecretBackendSchema,
  ClusterSecretBackend: ClusterSecretBackendSchema,
  SecretMigration: SecretMigrationSchema,
  SecretMigrationReport: SecretMigrationReportSchema,
};
const APPLY = 'kubectl apply -f crds/    # of the release that this program is from';

/** Every kind is installed and served, with the fields that this program knows. */
export async function checkCrds(examined: Examined): Promise<readonly Finding[]> {
  const kinds: readonly Kind[] = [
    'SecretBackend',
    'ClusterSecretBackend',
    'SecretMigration',
    'SecretMigrationReport',
  ];
  const findings = await Promise.all(kinds.map(async (kind) => crdFinding(examined, kind)));
  const [first] = findings;
  if (first?.level === 'skipped') return [first];
  if (findings.some(({ level }) => level !== 'ok')) return findings.filter(({ level }) => level !== 'ok');
  return [
    {
      level: 'ok',
      check: 'crds',
      found: `All ${kinds.length} kinds are installed, with the fields of this version.`,
    },
  ];
}

async function crdFinding(examined: Examined, kind: Kind): Promise<Finding> {
  const name = `${KINDS[kind].plural}.${GROUP}`;
  const crd = await readObject(examined, CRDS, { name });
  const check = 'crds';
  if (crd === 'forbidden') return mayNotLook(check, CRDS);
  if (crd === 'absent') return { level: 'problem', check, found: `${kind} is not installed.`, fix: APPLY };
  const established = listAt(crd, 'status', 'conditions').find(
    (each) => textAt(each, 'type') === 'Established',
  );
  if (textAt(established, 'status') !== 'True')
    return {
      level: 'problem',
      check,
      found: `${kind} is not served yet.`,
      fix: `kubectl describe crd ${name}`,
    };
  const version = listAt(crd, 'spec', 'versions').find((each) => textAt(each, 'name') === VERSION);
  const { missing, unknown } = differences(kind, at(version, 'schema', 'openAPIV3Schema'));
  if (missing.length > 0) {
    const found = `${kind} is older than this program: the cluster does not have ${firstNames(missing)}.`;
    return { level: 'problem', check, found, fix: APPLY };
  }
  if (unknown.length > 0) {
    const found = `${kind} is newer than this program, which does not know ${firstNames(unknown)}.`;
    return {
      level: 'warning',
      check,
      found,
      fix: 'keyferry --version    # then install the version of the operator',
    };
  }
  return { level: 'ok', check, found: `${kind} is installed.` };
}

/** Fields that only this program, or only the cluster has. The API server drops a field that it does not have. */
export function differences(
  kind: Kind,
  installed: unknown,
): { readonly missing: readonly string[]; readonly unknown: readonly string[] } {
  const own = z.toJSONSchema(SCHEMAS[kind], { target: 'openapi-3.0', io: 'input' });
  const ours = new Set(fieldsOf(own, ''));
  const theirs = new Set(fieldsOf(installed, ''));
  return { missing: highest(ours, theirs), unknown: highest(theirs, ours) };
}

/** What only the first has; of a field that is missing as a whole, not also each of its members. */
function highest(fields: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] {
  const only = new Set([...fields].filter((field) => !others.has(field)));
  return [...only].filter((field) => {
    const parts = field.split('.');
    return !parts.some((_, index) => index > 0 && only.has(parts.slice(0, index).join('.')));
  });
}

/** Paths of all fields of a schema, without those of metadata, which the API server has itself. */
function fieldsOf(schema: unknown, path: string): readonly string[] {
  return [
    ...Object.entries(propertiesOf(schema)).flatMap(([name, child]) => {
      const field = path === '' ? name : `${path}.${name}`;
      return field === 'metadata' ? [] : [field, ...fieldsOf(child, field)];
    }),
    ...below(at(schema, 'items'), path),
    ...below(at(schema, 'additionalProperties'), path),
  ];
}

function propertiesOf(schema: unknown): JsonObject {
  const properties = at(schema, 'properties');
  return isJsonObject(properties) ? properties : {};
}

function below(schema: unknown, path: string): readonly string[] {
  return schema === undefined ? [] : fieldsOf(schema, path);
}
