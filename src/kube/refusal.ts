import type { ErrorCode } from '#src/errors.ts';
import { documentation } from '#src/errors/documentation.ts';
import { shortened } from '#src/errors/explain.ts';

/*
 * Who refused a request: the API server says it only in the text of its reply. Of that text only names are used, by patterns
 * that a value cannot match. The own words of an admission policy can quote the object that it refuses, so they are used for
 * objects without values only.
 */

/** What a refusal means, more exactly than its status. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint: string;
}

/** k8s.io/apiserver pkg/endpoints/handlers/responsewriters/errors.go (forbiddenMessage). */
const NO_RIGHT =
  / is forbidden: User "([\x21\x23-\x7e]{1,253})" cannot ([a-z]{1,32}) resource "([a-z0-9./-]{1,253})" in API group "([a-z0-9.-]{0,253})" (?:in the namespace "([a-z0-9-]{1,63})"|at the cluster scope)/;
/** k8s.io/apiserver pkg/admission/plugin/resourcequota/controller.go (checkRequest). */
const OVER_QUOTA = / is forbidden: exceeded quota: ([a-z0-9.-]{1,253}), requested: ([^:]{1,512}), used: /;
/** k8s.io/apiserver pkg/admission/plugin/policy/validating/dispatcher.go. */
const BY_POLICY =
  / is forbidden: ValidatingAdmissionPolicy '([a-z0-9.-]{1,253})' with binding '([a-z0-9.-]{1,253})' denied request(?:: ([\s\S]*))?$/;
/** k8s.io/apiserver pkg/admission/plugin/webhook/errors/statuserror.go. */
const BY_WEBHOOK = /^admission webhook "([a-z0-9.-]{1,253})" denied the request(?:: ([\s\S]*))?/;

const RESOURCE = /^[a-z0-9./-]{1,253}$/;
/** Bytes of the own words of an admission control: a row has room for 256 in all. */
const MAX_OWN_WORDS = 300;
const TRIED_AGAIN = 'Change the object or the rule; it is tried again.';

/**
 * What the text of a 403 or 422 says; undefined if it is none of these. `holdsNoValue`: the request has no value of a user,
 * so that the own words of an admission control can be shown.
 */
export function refusalIn(
  message: string,
  { holdsNoValue }: { readonly holdsNoValue: boolean },
): Refusal | undefined {
  return noRight(message) ?? overQuota(message) ?? byAdmission(message, holdsNoValue);
}

function noRight(message: string): Refusal | undefined {
  const [, user, verb, plural = '', group = '', namespace] = NO_RIGHT.exec(message) ?? [];
  if (user === undefined) return undefined;
  const [name = '', ...subresource] = plural.split('/');
  const resource = [group === '' ? name : `${name}.${group}`, ...subresource].join('/');
  const place = namespace === undefined ? 'in the cluster' : `in the namespace ${namespace}`;
  return {
    code: 'AUTH_DENIED',
    detail: `${user} may not ${verb} ${resource} ${place}.`,
    hint: `Grant it: ${documentation('security/rbac.md')}.`,
  };
}

function overQuota(message: string): Refusal | undefined {
  const [, quota, requested = ''] = OVER_QUOTA.exec(message) ?? [];
  if (quota === undefined) return undefined;
  const resources = requested.split(',').flatMap((part) => {
    const [name = ''] = part.trim().split('=');
    return RESOURCE.test(name) ? [name] : [];
  });
  return {
    code: 'ADMISSION_DENIED',
    detail: `The ResourceQuota ${quota} is used up: ${resources.join(', ')}.`,
    hint: 'Raise the quota, or delete objects that are not needed; it is tried again.',
  };
}

function byAdmission(message: string, holdsNoValue: boolean): Refusal | undefined {
  const [, policy, binding, words] = BY_POLICY.exec(message) ?? [];
  if (policy !== undefined) {
    return {
      code: 'ADMISSION_DENIED',
      detail: `ValidatingAdmissionPolicy ${policy}, binding ${binding ?? ''}${own(words, holdsNoValue)}`,
      hint: holdsNoValue
        ? TRIED_AGAIN
        : `To see why: kubectl get validatingadmissionpolicy ${policy} -o yaml`,
    };
  }
  const [, webhook, explanation] = BY_WEBHOOK.exec(message) ?? [];
  if (webhook === undefined) return undefined;
  return {
    code: 'ADMISSION_DENIED',
    detail: `Admission webhook ${webhook}${own(explanation, holdsNoValue)}`,
    hint: holdsNoValue ? TRIED_AGAIN : 'Its own message can quote values, so it is not shown: see its log.',
  };
}

function own(words: string | undefined, holdsNoValue: boolean): string {
  return holdsNoValue && words !== undefined && words !== ''
    ? `: "${shortened(words, MAX_OWN_WORDS)}".`
    : '.';
}
