import { access, constants, realpath, stat } from 'node:fs/promises';
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
  const found = new Map<string, string>();
  for (const candidate of candidates) {
    if (!(await isExecutable(candidate))) continue;
    // /bin is often a link to /usr/bin: one look at each program is enough.
    const file = await realpath(candidate);
    if (!found.has(file)) found.set(file, candidate);
  }
  return [...found.values()];
}
