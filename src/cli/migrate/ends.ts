import { KINDS, type Kind } from '#src/api/group.ts';
import { ConditionsSchema } from '#src/schema/meta.ts';
import { parseWith } from '#src/schema/parse.ts';
import { hasCode } from '#src/errors.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';
import { at } from '../members.ts';
import type { Session } from '../session.ts';

/** A backend as a SecretMigration refers to it. */
export interface BackendRef {
  readonly kind: 'SecretBackend' | 'ClusterSecretBackend';
  readonly name: string;
}

/** `bao`, `secretbackend/bao`, `csbe/shared`: kinds as kubectl takes them. A name alone is a SecretBackend. Throws `Problem`. */
export function parseBackend(flag: string, text: string): BackendRef {
  const [first = '', second, ...others] = text.split('/');
  if (second === undefined && first !== '') return { kind: 'SecretBackend', name: first };
  const word = first.toLowerCase().replace(/\.keyferry\.io$/, '');
  const kind = KIND_NAMES.find((each) =>
    [each.toLowerCase(), KINDS[each].plural, KINDS[each].shortName].includes(word),
  );
  if (kind !== undefined && second !== undefined && second !== '' && others.length === 0)
    return { kind, name: second };
  throw new Problem(
    `${flag}: write the name of a SecretBackend, or clustersecretbackend/<name>. See what there is: kubectl keyferry backend list.`,
  );
}

const KIND_NAMES = ['SecretBackend', 'ClusterSecretBackend'] as const satisfies readonly Kind[];

/**
 * Checks that a backend exists and is Ready. Throws `Problem` that says what is wrong with it. Without the right to read shared
 * backends, the operator checks it.
 */
export async function requireReady(session: Session, { kind, name }: BackendRef): Promise<void> {
  const object = await find(session, { kind, name });
  if (object === 'hidden') {
    session.output.note(
      `You may not read the ClusterSecretBackend ${name}, so only the operator checks whether it is Ready.`,
    );
    return;
  }
  if (object === undefined) throw new Problem(await missing(session, { kind, name }));
  const ready = readyOf(object);
  if (ready?.status === 'True') return;
  const why =
    ready === undefined
      ? 'The operator has not probed it yet.'
      : printable(`${ready.reason}: ${ready.message}`);
  throw new Problem(`${kind} ${name} is not Ready. ${why} See kubectl keyferry backend describe ${name}.`);
}

async function find(
  { namespace, objects }: Session,
  { kind, name }: BackendRef,
): Promise<KubeObject | undefined | 'hidden'> {
  try {
    return await objects.find(kind, KINDS[kind].namespaced ? { namespace, name } : { name });
  } catch (thrown) {
    if (kind === 'ClusterSecretBackend' && hasCode(thrown, 'AUTH_DENIED')) return 'hidden';
    throw thrown;
  }
}

/** A name alone is easily meant for a shared backend. */
async function missing(session: Session, { kind, name }: BackendRef): Promise<string> {
  const { namespace } = session;
  if (kind === 'ClusterSecretBackend')
    return `There is no ClusterSecretBackend ${name}. See what there is: kubectl get clustersecretbackends.`;
  const text = `There is no SecretBackend ${name} in the namespace ${namespace}.`;
  const shared = await find(session, { kind: 'ClusterSecretBackend', name });
  if (shared === undefined || shared === 'hidden')
    return `${text} See what there is: kubectl get secretbackends -n ${namespace}.`;
  return `${text} There is a ClusterSecretBackend of this name: write clustersecretbackend/${name}.`;
}

function readyOf(object: KubeObject) {
  const conditions = parseWith(ConditionsSchema, at(object, 'status', 'conditions'));
  return conditions.ok ? conditions.value.find(({ type }) => type === 'Ready') : undefined;
}
