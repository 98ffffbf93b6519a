import { KINDS, type Kind } from '#src/api/group.ts';
import { documentation } from '#src/errors/documentation.ts';
import { explain } from '#src/errors/explain.ts';
import { errorOf, type OperatorError } from '#src/errors.ts';
import { Problem } from './problem.ts';

/** What went wrong, as one text for a person: what happened, where, what to do next. */
export function textOf(failure: unknown): string {
  if (failure instanceof Problem) return failure.message;
  const error = errorOf(failure);
  const kind = kindOf(error);
  if (kind !== undefined && isNotServed(error)) return notInstalled(kind);
  if (kind !== undefined && error.code === 'AUTH_DENIED' && error.status === 403)
    return missingRight(error, kind);
  return explain(failure);
}

/** True for a 404 that is about the kind and not about an object of it (src/kube/problem.ts). */
function isNotServed({ code, status }: OperatorError): boolean {
  return code === 'REPLY_INVALID' && status === 404;
}

function notInstalled(kind: Kind): string {
  const install = `Install it: ${documentation('install.md')}. Or choose another cluster with --context`;
  return `Keyferry is not installed in this cluster: the API server does not serve ${KINDS[kind].plural}. ${install}.`;
}

/** The kind of ours that the request was about: targets are `Kind namespace/name`. */
function kindOf({ target = '' }: OperatorError): Kind | undefined {
  const [word] = target.split(' ');
  return isKind(word) ? word : undefined;
}

function isKind(word: string | undefined): word is Kind {
  return word !== undefined && Object.hasOwn(KINDS, word);
}

const READS: ReadonlySet<string> = new Set(['kube.get', 'kube.list', 'kube.watch']);

/** The message of the error names the user and the right. */
function missingRight({ message, op }: OperatorError, kind: Kind): string {
  return `${message} ${roleFor(kind, READS.has(op))} More: ${documentation('security/rbac.md')}.`;
}

/** config/rbac/user-roles.yaml */
function roleFor(kind: Kind, isRead: boolean): string {
  if (!KINDS[kind].namespaced) {
    if (!isRead) return 'Only administrators of the cluster write shared backends.';
    return `The ClusterRole keyferry-cluster-view gives this right. An administrator binds it: ${bind('clusterrolebinding', 'keyferry-cluster-view')}.`;
  }
  const [role, contained] = isRead
    ? (['keyferry-view', 'view, edit and admin'] as const)
    : (['keyferry-edit', 'edit and admin'] as const);
  return `The ClusterRole ${role} gives this right, and so do ${contained}. An administrator binds it: ${bind('rolebinding', role)} -n <namespace>, or in all namespaces with a clusterrolebinding.`;
}

function bind(binding: 'rolebinding' | 'clusterrolebinding', role: string): string {
  return `kubectl create ${binding} ${role} --clusterrole=${role} --user=<user>`;
}
