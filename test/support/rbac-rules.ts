import { loadAll } from 'js-yaml';
import { z } from 'zod';
import type { AuditEvent } from '#test/cluster/audit.ts';
import { OPERATOR_ACCOUNT, type Cluster } from '#test/cluster/cluster.ts';
import type { RecordedRequest } from './request-history.ts';

/*
 * What RBAC objects grant the operator, and what its requests need: small models of kubectl kustomize and of the RBAC
 * authorizer (k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac), to compare the two.
 */

const Rule = z.object({
  // A rule about paths has neither.
  apiGroups: z.array(z.string()).default([]),
  resources: z.array(z.string()).default([]),
  resourceNames: z.array(z.string()).optional(),
  verbs: z.array(z.string()),
});
type Rule = z.output<typeof Rule>;

const RbacObject = z.object({
  kind: z.string(),
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
  rules: z.array(Rule).optional(),
  roleRef: z.object({ kind: z.string(), name: z.string() }).optional(),
  subjects: z.array(z.object({ name: z.string(), namespace: z.string().optional() })).optional(),
});
type RbacObject = z.output<typeof RbacObject>;

/** A rule that the operator has in one namespace, or in all. */
export interface Grant {
  readonly namespace: string | undefined;
  readonly rule: Rule;
}

/** What a request asks for, as the API server sees it. */
export interface Needed {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `serviceaccounts/token`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** The grants of the operator in a kustomize folder. */
export async function grantsIn(cluster: Cluster, folder: string): Promise<readonly Grant[]> {
  const { code, stdout, stderr } = await cluster.kubectl(['kustomize', folder]);
  if (code !== 0) throw new Error(stderr);
  return grantsOfManifests(loadAll(stdout));
}

/** The grants of the operator among the objects of a manifest. */
export function grantsOfManifests(manifests: readonly unknown[]): readonly Grant[] {
  const objects = manifests.map((object) => RbacObject.parse(object));
  return objects.filter(isOfOperator).flatMap((binding) => grantsOf(binding, objects));
}

function isOfOperator({ subjects = [] }: RbacObject): boolean {
  return subjects.some(
    ({ name, namespace }) => name === OPERATOR_ACCOUNT.name && namespace === OPERATOR_ACCOUNT.namespace,
  );
}

function grantsOf({ metadata, roleRef }: RbacObject, objects: readonly RbacObject[]): readonly Grant[] {
  const { namespace } = metadata;
  const role = objects.find(
    (each) =>
      each.kind === roleRef?.kind &&
      each.metadata.name === roleRef.name &&
      (each.kind === 'ClusterRole' || each.metadata.namespace === namespace),
  );
  if (role === undefined) throw new Error(`${metadata.name} refers to a role that is not there`);
  return (role.rules ?? []).map((rule) => ({ namespace, rule }));
}

/** What a request of the audit log asked for. Undefined for a path that is not of a resource. */
export function neededByAudited({ verb, objectRef }: AuditEvent): Needed | undefined {
  if (objectRef === undefined || objectRef.resource === '') return undefined;
  const { apiGroup, resource, subresource, namespace, name } = objectRef;
  const path = subresource === undefined ? resource : `${resource}/${subresource}`;
  return { verb, group: apiGroup, resource: path, namespace, name };
}

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Undefined for a path that is not of a resource, such as /version. */
export function neededFor({ method, path, query }: RecordedRequest): Needed | undefined {
  const matched = /^\/(?:api\/v1|apis\/(?<group>[^/]+)\/[^/]+)\/(?<rest>.+)$/.exec(path)?.groups;
  if (matched === undefined) return undefined;
  const { group = '', rest = '' } = matched;
  const { namespace, plural, name, subresource } = placeOf(rest.split('/'));
  return {
    verb: method === 'GET' ? readVerb(name, query) : (VERBS[method] ?? method),
    group,
    resource: subresource === undefined ? plural : `${plural}/${subresource}`,
    namespace,
    name,
  };
}

/** `/namespaces/x` is both the object x and a place; a longer path is in the place. */
function placeOf(parts: readonly string[]) {
  const [first, namespace] = parts[0] === 'namespaces' ? parts : [];
  const isPlaced = first !== undefined && parts.length > 2;
  const [plural = '', name, subresource] = isPlaced ? parts.slice(2) : parts;
  return { namespace, plural, name, subresource };
}

function readVerb(name: string | undefined, query: string): string {
  if (new URLSearchParams(query).get('watch') === 'true') return 'watch';
  return name === undefined ? 'list' : 'get';
}

export function allows({ namespace, rule }: Grant, needed: Needed): boolean {
  return (
    (namespace === undefined || namespace === needed.namespace) &&
    rule.apiGroups.includes(needed.group) &&
    rule.resources.includes(needed.resource) &&
    rule.verbs.includes(needed.verb) &&
    (rule.resourceNames === undefined ||
      (needed.name !== undefined && rule.resourceNames.includes(needed.name)))
  );
}

/** `verb resource` of each right in the grants for which no request was sent. */
export function unusedIn(grants: readonly Grant[], sent: readonly Needed[]): readonly string[] {
  const unused = grants.flatMap((grant) => {
    const used = sent.filter((needed) => allows(grant, needed));
    const pairs = grant.rule.resources.flatMap((resource) =>
      grant.rule.verbs.map((verb) => ({ resource, verb })),
    );
    return pairs
      .filter(({ resource, verb }) => !used.some((each) => each.resource === resource && each.verb === verb))
      .map(({ resource, verb }) => `${verb} ${resource}`);
  });
  return [...new Set(unused)].toSorted();
}

/** A request in one line: `patch secrets payments/db`. */
export function lineOf({ verb, resource, namespace, name }: Needed): string {
  const place = [namespace, name].filter((part) => part !== undefined).join('/');
  return place === '' ? `${verb} ${resource}` : `${verb} ${resource} ${place}`;
}
