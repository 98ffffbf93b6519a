import { readFile } from 'node:fs/promises';
import { GROUP } from '#src/api/group.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import { Problem } from '../problem.ts';
import type { Session } from '../session.ts';
import { specOf, type Planned } from './dry-run.ts';

/** Bytes of a file with manifests. */
const MAX_BYTES = 3 * 1024 * 1024;
/** A migration in a file can have a generated name. */
const NAMELESS = 'migration';

/**
 * The SecretMigrations of a file of manifests (YAML or JSON, several documents, lists); `-` is the standard input. Other
 * kinds are left out. No problem quotes the file: it can have Secrets as well.
 */
export async function readManifests(
  { namespace, streams }: Pick<Session, 'namespace' | 'streams'>,
  file: string,
  chosenNamespace: string | undefined,
): Promise<readonly Planned[]> {
  const text = file === '-' ? await readAll(streams.stdin) : await readNamed(file);
  const objects = (await parseYaml(text, file)).flatMap(itemsOf);
  const migrations = objects.filter(isMigration).map((object) => plannedOf(object, namespace));
  if (migrations.length === 0) throw new Problem(`${titleOf(file)} has no SecretMigration of ${GROUP}.`);
  const other = migrations.find(
    (each) => chosenNamespace !== undefined && each.namespace !== chosenNamespace,
  );
  if (other !== undefined)
    throw new Problem(
      `The SecretMigration ${other.name} is in the namespace ${other.namespace}, and -n names another one: leave -n out.`,
    );
  return migrations;
}

async function readNamed(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new Problem(`The file ${file} cannot be read. Check its path and its permissions.`);
  }
}

async function readAll(input: Session['streams']['stdin']): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BYTES) throw new Problem('The standard input is too large for a manifest.');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function parseYaml(text: string, file: string): Promise<readonly unknown[]> {
  const { loadAll } = await import('js-yaml');
  try {
    return loadAll(text);
  } catch (thrown) {
    // The message of the parser quotes the file.
    const line = lineOf(thrown);
    throw new Problem(`${titleOf(file)} is not valid YAML${line === undefined ? '' : ` (line ${line})`}.`);
  }
}

function lineOf(thrown: unknown): number | undefined {
  const mark: unknown =
    typeof thrown === 'object' && thrown !== null && 'mark' in thrown ? thrown.mark : undefined;
  const line = isJsonObject(mark) ? mark['line'] : undefined;
  return typeof line === 'number' ? line + 1 : undefined;
}

function itemsOf(document: unknown): readonly unknown[] {
  const items = isJsonObject(document) && document['kind'] === 'List' ? document['items'] : undefined;
  return Array.isArray(items) ? items : [document];
}

function isMigration(object: unknown): object is JsonObject {
  if (!isJsonObject(object) || object['kind'] !== 'SecretMigration') return false;
  const { apiVersion } = object;
  return typeof apiVersion === 'string' && apiVersion.startsWith(`${GROUP}/`);
}

function plannedOf(object: JsonObject, ownNamespace: string): Planned {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const { generateName, name, namespace } = metadata;
  const named = [name, generateName].find((each) => typeof each === 'string' && each !== '');
  return {
    name: typeof named === 'string' ? named.replace(/-+$/, '') : NAMELESS,
    namespace: typeof namespace === 'string' && namespace !== '' ? namespace : ownNamespace,
    spec: specOf(object),
  };
}

function titleOf(file: string): string {
  return file === '-' ? 'The standard input' : `The file ${file}`;
}
