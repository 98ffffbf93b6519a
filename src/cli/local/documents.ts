import { readFile } from 'node:fs/promises';
import { API_VERSION } from '#src/api/group.ts';
import { isJsonObject, type JsonObject } from '#src/kube/json.ts';
import type { Invocation } from '../invocation.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';

/** Where a document stands, for messages: `migration.yaml, document 2 (SecretBackend bao)`. */
export interface Located {
  readonly where: string;
  readonly object: JsonObject;
}

export function titleOf(path: string): string {
  return path === '-' ? 'The standard input' : path;
}

/**
 * The documents of a YAML file of our kinds; `-` is the standard input. Throws `Problem` for what is not YAML, and for a kind
 * that a run without a cluster cannot use.
 */
export async function readDocuments(
  path: string,
  stdin: Invocation['streams']['stdin'],
): Promise<readonly Located[]> {
  return (await parseDocuments(await readText(path, stdin), titleOf(path))).map(known);
}

async function readText(path: string, stdin: Invocation['streams']['stdin']): Promise<string> {
  if (path === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('utf8');
  }
  return readFile(path, 'utf8').catch(() => {
    throw new Problem(`The file ${path} cannot be read. Check its path and its permissions.`);
  });
}

async function parseDocuments(text: string, title: string): Promise<readonly Located[]> {
  const { loadAll } = await import('js-yaml');
  let all: readonly unknown[];
  try {
    all = loadAll(text);
  } catch (failure) {
    // The parser quotes the lines around its problem, which can have a credential.
    throw new Problem(`${title} is not valid YAML${lineOf(failure)}. Correct it, or check it with yamllint.`);
  }
  return all.flatMap((object, index) => {
    if (object === null || object === undefined) return [];
    const where = `${title}, document ${index + 1}`;
    if (!isJsonObject(object)) throw new Problem(`${where} is not an object with apiVersion and kind.`);
    return [{ where: `${where}${nameIn(object)}`, object }];
  });
}

function lineOf(failure: unknown): string {
  const mark = isJsonObject(failure) ? failure['mark'] : undefined;
  return isJsonObject(mark) && typeof mark['line'] === 'number' ? ` at line ${mark['line'] + 1}` : '';
}

function nameIn({ kind, metadata }: JsonObject): string {
  if (typeof kind !== 'string') return '';
  const name = isJsonObject(metadata) && typeof metadata['name'] === 'string' ? ` ${metadata['name']}` : '';
  return ` (${printable(`${kind}${name}`)})`;
}

const KINDS = ['SecretMigration', 'SecretBackend', 'ClusterSecretBackend'];

/** Refuses what a run without a cluster cannot use. */
function known(document: Located): Located {
  const { object, where } = document;
  const { apiVersion, kind } = object;
  if (kind === 'Secret')
    throw new Problem(
      `${where} is a Secret, and a file with credentials is easily stored or sent. Remove it, and name a file or a variable: --credential BACKEND=file:PATH or --credential BACKEND=env:NAME.`,
    );
  if (typeof kind !== 'string' || !KINDS.includes(kind))
    throw new Problem(`${where} is of another kind. Keep only ${KINDS.join(', ')} in the file.`);
  if (apiVersion !== API_VERSION)
    throw new Problem(`${where}: apiVersion must be ${API_VERSION}. Correct it.`);
  return document;
}
