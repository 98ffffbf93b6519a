import { GROUP, KINDS } from '#src/api/group.ts';
import type { Resource } from '#src/kube/resource.ts';
import type { Examined, Finding } from './finding.ts';
import { listAt, textAt } from '../members.ts';
import { mayNotLook, readList } from './read.ts';

const about = { group: 'admissionregistration.k8s.io', version: 'v1', namespaced: false };
const POLICIES: Resource = {
  ...about,
  plural: 'validatingadmissionpolicies',
  kind: 'ValidatingAdmissionPolicy',
};
const BINDINGS: Resource = {
  ...about,
  plural: 'validatingadmissionpolicybindings',
  kind: 'ValidatingAdmissionPolicyBinding',
};

/** Policies hold what users write against their own rights, whatever their names are. */
export async function checkAdmission(examined: Examined): Promise<readonly Finding[]> {
  const check = 'admission';
  const [policies, bindings] = await Promise.all([
    readList(examined, POLICIES),
    readList(examined, BINDINGS),
  ]);
  if (typeof policies === 'string') return [mayNotLook(check, POLICIES)];
  if (typeof bindings === 'string') return [mayNotLook(check, BINDINGS)];
  const enforced = new Set(
    bindings
      .filter((each) => listAt(each, 'spec', 'validationActions').includes('Deny'))
      .map((each) => textAt(each, 'spec', 'policyName')),
  );
  const covered = new Set(
    policies
      .filter((each) => enforced.has(textAt(each, 'metadata', 'name')))
      .flatMap((each) => listAt(each, 'spec', 'matchConstraints', 'resourceRules'))
      .filter((rule) => listAt(rule, 'apiGroups').includes(GROUP))
      .flatMap((rule) => listAt(rule, 'resources')),
  );
  const wanted = [KINDS.SecretBackend, KINDS.ClusterSecretBackend, KINDS.SecretMigration].map(
    ({ plural }) => plural,
  );
  const missing = wanted.filter((plural) => !covered.has(plural));
  if (missing.length === 0)
    return [{ level: 'ok', check, found: 'Admission policies check who writes backends and migrations.' }];
  return [
    {
      level: 'warning',
      check,
      found: `No admission policy denies ${missing.join(', ')} of users who lack the rights for what the operator does for them.`,
      fix: 'kubectl apply -k config/    # or helm upgrade with admission.enabled=true',
    },
  ];
}
