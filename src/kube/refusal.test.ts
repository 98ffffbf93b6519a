import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explain } from '#src/errors/explain.ts';
import type { OperatorError } from '#src/errors.ts';
import { problemOf } from './problem.ts';

/* test/integration/runtime/refusals.test.ts gets the same texts from a real API server. */

const POLICY = `ValidatingAdmissionPolicy 'team' with binding 'all' denied request: `;

function refused(message: string, about: { httpStatus?: number; holdsNoValue?: true } = {}): OperatorError {
  const { httpStatus = 403, ...how } = about;
  const reason = httpStatus === 422 ? 'Invalid' : 'Forbidden';
  const body = { kind: 'Status', message, reason, details: { name: 'db', kind: 'secrets' } };
  const write = { op: 'kube.secret.create', target: 'Secret payments/db', writes: true, ...how };
  return problemOf({ httpStatus, body }, write);
}

describe('a refusal of the API server', () => {
  it.each([
    [
      'secrets is forbidden: User "system:serviceaccount:keyferry-system:keyferry" cannot list resource "secrets" in API group "" in the namespace "payments"',
      'system:serviceaccount:keyferry-system:keyferry may not list secrets in the namespace payments.',
    ],
    [
      'secretmigrations.keyferry.io is forbidden: User "jane" cannot watch resource "secretmigrations" in API group "keyferry.io" at the cluster scope',
      'jane may not watch secretmigrations.keyferry.io in the cluster.',
    ],
    [
      'secretmigrations.keyferry.io "a" is forbidden: User "jane" cannot patch resource "secretmigrations/status" in API group "keyferry.io" in the namespace "payments": RBAC: role "x" not found',
      'jane may not patch secretmigrations.keyferry.io/status in the namespace payments.',
    ],
  ])('for a missing right names identity, verb, resource and namespace', (message, detail) => {
    const { code, hint, message: said } = refused(message);
    expect([code, hint]).toEqual(['AUTH_DENIED', 'Grant it: https://keyferry.io/docs/security/rbac.']);
    expect(said).toContain(detail);
  });

  it('for a quota names the quota and what is used up, and does not speak of credentials', () => {
    const message =
      'secrets "db" is forbidden: exceeded quota: team, requested: count/secrets=1,secrets=1, used: count/secrets=5,secrets=5, limited: count/secrets=5,secrets=5';
    expect(explain(refused(message), 256)).toBe(
      'An admission control of the cluster refused the object. The ResourceQuota team is used up: count/secrets, secrets (Secret payments/db). Raise the quota, or delete objects that are not needed; it is tried again.',
    );
    expect(refused(message).disposition).toBe('waiting');
  });

  it('because the namespace is being deleted is about the namespace, not about credentials', () => {
    const details = { name: 'db', causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] };
    const message = 'secrets "db" is forbidden: unable to create new content in namespace payments';
    const body = { kind: 'Status', reason: 'Forbidden', message, details };
    const write = { op: 'kube.secret.create', target: 'Secret payments/db', writes: true };
    expect(problemOf({ httpStatus: 403, body }, write).code).toBe('NAMESPACE_LEAVING');
  });

  it('that it does not know names no cause', () => {
    const { code, hint, message } = refused('secrets "db" is forbidden: hunter2');
    expect([code, message]).toEqual(['AUTH_DENIED', 'The server refused the credentials or the permission.']);
    expect(hint).toContain('https://keyferry.io/docs/security/rbac');
  });
});

describe('a refusal of an admission control', () => {
  it.each([403, 422])('with %i for an object without values has the words of the policy', (httpStatus) => {
    const message = `secretmigrations.keyferry.io "a" is forbidden: ${POLICY}ask the platform team first`;
    const { code, message: said } = refused(message, { httpStatus, holdsNoValue: true });
    expect(code).toBe('ADMISSION_DENIED');
    expect(said).toContain('ValidatingAdmissionPolicy team, binding all: "ask the platform team first".');
  });

  it.each([
    [`secrets "db" is forbidden: ${POLICY}`, 'ValidatingAdmissionPolicy team, binding all.'],
    ['admission webhook "check.team.example" denied the request: ', 'Admission webhook check.team.example.'],
  ])('for a Secret names who refused, and never its words, which can quote a value', (start, named) => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 400 }),
        fc.constantFrom(403, 422, 400),
        (words, httpStatus) => {
          const secret = `canary-${words}-canary`;
          const problem = refused(`${start}${secret}`, { httpStatus });
          expect(problem.code).toBe('ADMISSION_DENIED');
          expect(problem.message).toContain(named);
          expect(problem.message + problem.hint).not.toContain('canary-');
          expect(problem.cause).toBeUndefined();
        },
      ),
    );
  });

  it('has words that fit and are printable, whatever a policy says', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0x10ffff), { maxLength: 2_000 }), (points) => {
        const words = String.fromCodePoint(...points);
        const { message } = refused(`x "a" is forbidden: ${POLICY}${words}`, { holdsNoValue: true });
        expect(Buffer.byteLength(message)).toBeLessThan(500);
        expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });
});
