import { GROUP } from '#src/api/group.ts';
import { parseSecretMigration, type SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { hasCode } from '#src/errors.ts';
import type { KubeObject } from '#src/kube/client.ts';
import type { ObjectName } from '#src/kube/resource.ts';
import type { Condition } from '#src/schema/meta.ts';
import { printable } from './output.ts';
import { Problem } from './problem.ts';
import type { Session } from './session.ts';

/** A SecretMigration as the server has it, and as this version reads it. */
export interface Seen {
  readonly object: KubeObject;
  readonly migration: SecretMigration;
}

/** Tries of a change that lost against another writer: the operator writes the status all the time. */
const MOST_TRIES = 8;

/** The name of an object as kubectl prints it, also for `-o name`. */
export function titled(name: string): string {
  return `secretmigration.${GROUP}/${name}`;
}

/** Reads it. Throws `Problem` if there is none, or if it is not one that this version can read. */
export async function readMigration(
  { objects, namespace }: Pick<Session, 'objects' | 'namespace'>,
  name: string,
): Promise<Seen> {
  const object = await objects.find('SecretMigration', { namespace, name });
  if (object === undefined)
    throw new Problem(
      `There is no SecretMigration ${name} in the namespace ${namespace}. Look for its name: kubectl get secretmigrations -n ${namespace}.`,
    );
  return { object, migration: migrationOf(object) };
}

/** Throws `Problem` for an object that only another version can read. */
export function migrationOf(object: KubeObject): SecretMigration {
  const parsed = parseSecretMigration(object);
  if (parsed.ok) return parsed.value;
  throw new Problem(
    `This version of keyferry cannot read the SecretMigration ${nameOf(object.metadata)}: ${printable(parsed.problems.join('; '))}. Use the version of its operator.`,
  );
}

/**
 * Changes it in the version that was read. If another writer was faster, looks again: `decide` gets each version that is
 * read, and says what to merge into it, or throws. Throws `Problem` after many conflicts.
 */
export async function changeMigration(
  session: Pick<Session, 'objects' | 'namespace'>,
  name: string,
  decide: (seen: Seen) => { readonly metadata?: object; readonly spec?: object },
  fieldManager?: string,
): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const seen = await readMigration(session, name);
    try {
      await session.objects.patch('SecretMigration', seen.object.metadata, decide(seen), fieldManager);
      return;
    } catch (thrown) {
      if (!hasCode(thrown, 'VERSION_CONFLICT')) throw thrown;
    }
  }
  throw new Problem(
    `SecretMigration ${session.namespace}/${name} changed again and again while it was changed here. Nothing was changed; try again.`,
  );
}

/** The condition, if it is about this generation of the spec. */
export function conditionOf({ metadata, status }: SecretMigration, type: string): Condition | undefined {
  const found = status.conditions?.find((condition) => condition.type === type);
  const isCurrent =
    found?.observedGeneration === undefined || found.observedGeneration === metadata.generation;
  return isCurrent ? found : undefined;
}

/** `namespace/name` */
export function nameOf({ namespace, name }: ObjectName): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
