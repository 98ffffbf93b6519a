import { describe, expect, it } from 'vitest';
import { problemOf } from '#src/kube/problem.ts';
import { textOf } from './failure.ts';
import { Problem } from './problem.ts';

const LIST = { op: 'kube.list', target: 'SecretMigration', writes: false };

function refused(resource: string, verb: string) {
  const message = `${resource}.keyferry.io is forbidden: User "jane" cannot ${verb} resource "${resource}" in API group "keyferry.io" in the namespace "shop"`;
  return { httpStatus: 403, body: { kind: 'Status', reason: 'Forbidden', message } };
}

describe('the text of a failure', () => {
  it('is that of the problem of a person', () => {
    expect(textOf(new Problem('There is no such thing.'))).toBe('There is no such thing.');
  });

  it('says that Keyferry is not installed where the API server does not serve the kind', () => {
    const text = textOf(problemOf({ httpStatus: 404, body: undefined }, LIST));
    expect(text).toMatch(
      /^Keyferry is not installed in this cluster: .*secretmigrations\. Install it: https:/,
    );
  });

  it('names the missing right, and the role that gives it', () => {
    const text = textOf(problemOf(refused('secretmigrations', 'list'), LIST));
    expect(text).toContain('jane may not list secretmigrations.keyferry.io in the namespace shop.');
    expect(text).toContain('The ClusterRole keyferry-view gives this right, and so do view, edit and admin.');
    expect(text).toContain('kubectl create rolebinding keyferry-view --clusterrole=keyferry-view');
  });

  it('names the role of a change, and that of shared backends', () => {
    const patch = { op: 'kube.patch', target: 'SecretMigration shop/payments', writes: true };
    expect(textOf(problemOf(refused('secretmigrations', 'patch'), patch))).toContain('keyferry-edit');
    const shared = { op: 'kube.get', target: 'ClusterSecretBackend bao', writes: false };
    expect(textOf(problemOf(refused('clustersecretbackends', 'get'), shared))).toContain(
      'kubectl create clusterrolebinding keyferry-cluster-view',
    );
  });

  it('leaves other failures as they are', () => {
    const text = textOf(problemOf({ httpStatus: 503, body: undefined }, LIST));
    expect(text).toMatch(/^The server failed to handle the request/);
  });
});
