import { OperatorError } from '#src/errors.ts';
import { apiPath } from './api-path.ts';

/** One kind of object and its API path. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** The reference to one object of a resource. `namespace` is absent exactly for cluster-scoped resources. */
export interface ObjectName {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** `v1` or `group/version`, as in objects. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** `plural.group`, or `plural` of the core group: the name of a resource in RBAC and kubectl. */
export function titleOf({ plural, group }: Pick<Resource, 'plural' | 'group'>): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** Path of the list; without a namespace, of all namespaces. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? ['api'] : ['apis', resource.group];
  const scope = namespace === undefined ? [] : ['namespaces', namespace];
  if (namespace !== undefined && !resource.namespaced) {
    throw new OperatorError('INVARIANT', { op: 'kube.path', target: resource.kind });
  }
  return apiPath([...root, resource.version, ...scope, resource.plural]);
}

/** Path of one object. */
export function objectPath(resource: Resource, object: ObjectName): string {
  if (resource.namespaced && object.namespace === undefined) {
    throw new OperatorError('INVARIANT', { op: 'kube.path', target: `${resource.kind} ${object.name}` });
  }
  return collectionPath(resource, object.namespace) + apiPath([object.name]);
}

/** Path of the status subresource of one object. */
export function statusPath(resource: Resource, object: ObjectName): string {
  return objectPath(resource, object) + apiPath(['status']);
}

/** `Kind namespace/name` for errors and logs. */
export function describeTarget(resource: Resource, object: Partial<ObjectName>): string {
  return [resource.kind, [object.namespace, object.name].filter((part) => part !== undefined).join('/')]
    .filter((part) => part !== '')
    .join(' ');
}
