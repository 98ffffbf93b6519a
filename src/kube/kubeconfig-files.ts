import { readFile } from 'node:fs/promises';
import { delimiter, dirname, resolve } from 'node:path';
import { configInvalid } from './config.ts';
import { isJsonObject, type JsonObject } from './json.ts';

/** A kubeconfig file as client-node can load it: as JSON, its paths absolute, with the members that client-node knows. */
export interface KubeconfigFile {
  readonly path: string;
  readonly json: string;
}

/**
 * The files of a list as KUBECONFIG has it (`:` between the names, on Windows `;`), in its order, each once. As kubectl
 * does, it skips empty names and, if one file of the list is there, missing files. Throws `CONFIG_INVALID` when all are
 * missing, and for a file that cannot be read or is not a kubeconfig.
 */
export async function readKubeconfigFiles(list: string): Promise<readonly KubeconfigFile[]> {
  const paths = [...new Set(list.split(delimiter))].filter((path) => path !== '');
  const files = await Promise.all(paths.map(readKubeconfigFile));
  const found = files.filter((file) => file !== undefined);
  if (found.length > 0) return found;
  throw configInvalid(
    paths.length === 1
      ? `The kubeconfig file ${list} does not exist.`
      : `None of the kubeconfig files ${paths.join(', ')} exists.`,
  );
}

/** Undefined if there is none. */
async function readKubeconfigFile(path: string): Promise<KubeconfigFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (failure) {
    if (isMissing(failure)) return undefined;
    throw configInvalid(`The kubeconfig file ${path} cannot be read.`);
  }
  const { loadAll } = await import('js-yaml');
  try {
    // kubectl takes a file without content for one that has no entries.
    const [content = {}, ...others] = loadAll(text).map((document) => document ?? {});
    if (others.length === 0 && isJsonObject(content)) {
      return { path, json: JSON.stringify(asClientNodeReads(content, path)) };
    }
  } catch {
    // The YAML parser quotes the line at which it fails, which may contain a token.
  }
  throw configInvalid(`The kubeconfig file ${path} is not a valid kubeconfig.`);
}

function isMissing(failure: unknown): boolean {
  return failure instanceof Error && 'code' in failure && failure.code === 'ENOENT';
}

/** client-node 2.0.1 knows no `tokenFile`, and makes the paths of CAs and client certificates absolute, but not these. */
function asClientNodeReads(content: JsonObject, path: string): JsonObject {
  const { users } = content;
  if (!Array.isArray(users)) return content;
  const folder = dirname(resolve(path));
  return { ...content, users: users.map((entry: unknown) => userEntry(entry, folder)) };
}

function userEntry(entry: unknown, folder: string): unknown {
  if (!isJsonObject(entry) || !isJsonObject(entry['user'])) return entry;
  const { token, tokenFile, exec, ...rest } = entry['user'];
  const user = {
    ...rest,
    ...(exec === undefined ? {} : { exec: execEntry(exec, folder) }),
    // kubectl prefers the file to a token beside it.
    ...(typeof tokenFile === 'string' && tokenFile !== ''
      ? { 'auth-provider': { name: 'tokenFile', config: { tokenFile: resolve(folder, tokenFile) } } }
      : { token }),
  };
  return { ...entry, user };
}

/** A command with a `/` is relative to the file; one without is looked for in PATH. */
function execEntry(exec: unknown, folder: string): unknown {
  if (!isJsonObject(exec) || typeof exec['command'] !== 'string') return exec;
  const { command } = exec;
  return { ...exec, command: command.includes('/') ? resolve(folder, command) : command };
}
