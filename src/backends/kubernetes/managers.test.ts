import { describe, expect, it } from 'vitest';
import { toDocument } from './codec.ts';

interface Marks {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}
const documentOf = (marks: Marks) =>
  toDocument({ metadata: { name: 'a', uid: 'u', resourceVersion: '1', ...marks }, data: {} });
const managerOf = (marks: Marks): string | undefined => documentOf(marks).manager;

describe('the program that writes a Secret without owning it', () => {
  it.each<[string, Parameters<typeof managerOf>[0]]>([
    ['cert-manager', { labels: { 'controller.cert-manager.io/fao': 'true' } }],
    ['cert-manager', { annotations: { 'cert-manager.io/certificate-name': 'web' } }],
    ['External Secrets', { labels: { 'reconcile.external-secrets.io/managed': 'true' } }],
    ['Sealed Secrets', { annotations: { 'sealedsecrets.bitnami.com/managed': 'true' } }],
    ['Helm', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } }],
    ['Helm', { annotations: { 'meta.helm.sh/release-name': 'web' } }],
    ['hashicorp-vso', { labels: { 'app.kubernetes.io/managed-by': 'hashicorp-vso' } }],
    ['Vault Secrets Operator', { labels: { 'secrets.hashicorp.com/vso-ownerRefUID': 'u' } }],
    ['kubernetes-replicator', { annotations: { 'replicator.v1.mittwald.de/replicate-from': 'other/a' } }],
    [
      'kubernetes-replicator',
      { annotations: { 'replicator.v1.mittwald.de/replicated-at': '2026-01-01T00:00:00Z' } },
    ],
    ['Reflector', { annotations: { 'reflector.v1.k8s.emberstack.com/reflects': 'other/a' } }],
    ['Argo CD', { annotations: { 'argocd.argoproj.io/tracking-id': 'web:/Secret:ns/a' } }],
    ['Flux', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }],
  ])('is %s by its mark', (manager, marks) => {
    expect(managerOf(marks)).toBe(manager);
  });

  it.each<[string, Parameters<typeof managerOf>[0]]>([
    ['nothing', {}],
    ['labels of a user', { labels: { team: 'web' }, annotations: { note: 'x' } }],
    ['an empty label', { labels: { 'app.kubernetes.io/managed-by': '' } }],
    ['a mark that says no', { labels: { 'reconcile.external-secrets.io/managed': 'false' } }],
    ['the mark of Keyferry', { labels: { 'app.kubernetes.io/managed-by': 'keyferry' } }],
    [
      'what went along with a copy of Keyferry',
      { labels: { 'app.kubernetes.io/managed-by': 'keyferry', 'controller.cert-manager.io/fao': 'true' } },
    ],
  ])('is none for %s', (_what, marks) => {
    expect(managerOf(marks)).toBeUndefined();
  });
});

describe('the program that copies a Secret to other namespaces', () => {
  it.each<[string, Record<string, string>]>([
    ['kubernetes-replicator', { 'replicator.v1.mittwald.de/replicate-to': 'other' }],
    ['kubernetes-replicator', { 'replicator.v1.mittwald.de/replicate-to-matching': 'team=a' }],
    ['kubernetes-replicator', { 'replicator.v1.mittwald.de/replication-allowed': 'true' }],
    ['Reflector', { 'reflector.v1.k8s.emberstack.com/reflection-allowed': 'true' }],
    ['Config Syncer', { 'kubed.appscode.com/sync': '' }],
  ])('is %s by its annotation: %j', (replicator, annotations) => {
    expect(documentOf({ annotations })).toMatchObject({ replicator });
  });

  it('is none for a Secret that allows no copy', () => {
    const annotations = { 'reflector.v1.k8s.emberstack.com/reflection-allowed': 'false' };
    expect(documentOf({ annotations }).replicator).toBeUndefined();
  });
});

it.each([
  [{ 'cert-manager.io/allow-direct-injection': 'true' }, true],
  [{ 'cert-manager.io/allow-direct-injection': 'false' }, undefined],
  [{}, undefined],
])('a Secret with %j supplies its CA to webhooks: %s', (annotations, supplies) => {
  expect(documentOf({ annotations }).suppliesCa).toBe(supplies);
});
