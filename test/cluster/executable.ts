import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/** All programs of this name in PATH and then in KUBEBUILDER_ASSETS (envtest's folder), in order. */
export async function findInPath(name: string, environment: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const folders = [...(environment['PATH'] ?? '').split(delimiter), environment['KUBEBUILDER_ASSETS'] ?? ''];
  const candidates = folders.filter((folder) => folder !== '').map((folder) => join(folder, name));
  const found: string[] = [];
  for (const candidate of candidates) {
    if (await isExecutable(candidate)) found.push(candidate);
  }
  return found;
}
