/**
 * The path of a request to the Kubernetes API with placeholders for the names in it, for traces:
 * `/api/v1/namespaces/{namespace}/secrets/{name}`. Group, version, plural and subresource are constants of the API.
 */
export function urlTemplateOf(path: string): string {
  const segments = path.split('/').slice(1);
  // Such as /version: not about an object.
  if (segments[0] !== 'api' && segments[0] !== 'apis') return path;
  const rootLength = segments[0] === 'api' ? 2 : 3;
  const root = segments.slice(0, rootLength);
  const rest = segments.slice(rootLength);
  // Such as /apis and /apis/apps/v1: what the server serves.
  if (rest.length === 0) return path;
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2;
  const [plural = '', name, ...subresource] = isNamespaced ? rest.slice(2) : rest;
  return [
    '',
    ...root,
    ...(isNamespaced ? ['namespaces', '{namespace}'] : []),
    plural,
    ...(name === undefined ? [] : ['{name}', ...subresource]),
  ].join('/');
}
