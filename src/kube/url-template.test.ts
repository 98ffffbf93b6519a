import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectionPath, objectPath, statusPath, type Resource } from './resource.ts';
import { apiPath } from './api-path.ts';
import { urlTemplateOf } from './url-template.ts';

const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const MIGRATIONS: Resource = {
  ...SECRETS,
  group: 'keyferry.io',
  version: 'v1alpha1',
  plural: 'secretmigrations',
};
const SHARED: Resource = { ...MIGRATIONS, plural: 'clustersecretbackends', namespaced: false };

describe('the template of a path of the Kubernetes API', () => {
  test.each([
    [collectionPath(SECRETS), '/api/v1/secrets'],
    [collectionPath(SECRETS, 'a'), '/api/v1/namespaces/{namespace}/secrets'],
    [objectPath(SECRETS, { namespace: 'a', name: 'b' }), '/api/v1/namespaces/{namespace}/secrets/{name}'],
    [
      statusPath(MIGRATIONS, { namespace: 'a', name: 'b' }),
      '/apis/keyferry.io/v1alpha1/namespaces/{namespace}/secretmigrations/{name}/status',
    ],
    [statusPath(SHARED, { name: 'b' }), '/apis/keyferry.io/v1alpha1/clustersecretbackends/{name}/status'],
    [collectionPath(SHARED), '/apis/keyferry.io/v1alpha1/clustersecretbackends'],
    [apiPath(['api', 'v1', 'namespaces', 'a']), '/api/v1/namespaces/{name}'],
    ['/version', '/version'],
    ['/apis', '/apis'],
    ['/apis/apps/v1', '/apis/apps/v1'],
    ['/api/v1', '/api/v1'],
  ])('%s → %s', (path, template) => {
    expect(urlTemplateOf(path)).toBe(template);
  });

  test('is the same for all names', () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,60}[a-z0-9]$/);
    fc.assert(
      fc.property(name, name, fc.constantFrom(SECRETS, MIGRATIONS), (namespace, object, resource) => {
        const template = urlTemplateOf(objectPath(resource, { namespace, name: object }));
        expect(template).toBe(urlTemplateOf(objectPath(resource, { namespace: 'x', name: 'y' })));
      }),
    );
  });
});
