import { describe, expect, it } from 'vitest';
import { toDocument } from './codec.ts';

const managerOf = (marks: {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}): string | undefined =>
  toDocument({ metadata: { name: 'a', uid: 'u', resourceVersion: '1', ...marks }, data: {} }).manager;

describe('the program that writes a Secret without owning it', () => {
  it.each<[string, Parameters<typeof managerOf>[0]]>([
    ['cert-manager', { labels: { 'controller.cert-manager.io/fao': 'true' } }],
    ['cert-manager', { annotations: { 'cert-manager.io/certificate-name': 'web' } }],
    ['External Secrets', { labels: { 'reconcile.external-secrets.io/managed': 'true' } }],
    ['Sealed Secrets', { annotations: { 'sealedsecrets.bitnami.com/managed': 'true' } }],
    ['Helm', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } }],
    ['Helm', { annotations: { 'meta.helm.sh/release-name': 'web' } }],
    ['hashicorp-vso', { labels: { 'app.kubernetes.io/managed-by': 'hashicorp-vso' } }],
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
