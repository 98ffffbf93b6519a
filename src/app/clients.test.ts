import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadConfig } from '#src/config/load.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { openConnection } from './clients.ts';

let home: string;
let pod: Readonly<Record<string, string>>;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'keyferry-home-'));
  vi.stubEnv('HOME', home);
  const files = { token: 't', 'ca.crt': rootCertificates[0] ?? '', namespace: 'of-the-pod' };
  for (const [name, text] of Object.entries(files)) await writeFile(join(home, name), text);
  pod = { KUBERNETES_SERVICE_HOST: 'pod', KEYFERRY_SERVICE_ACCOUNT_DIR: home };
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

/** Writes a kubeconfig with the contexts `name` and `name`-dev, each for the server of its name; returns its path. */
async function kubeconfig(name: string, path = join(home, name)): Promise<string> {
  const names = [name, `${name}-dev`];
  const config = {
    clusters: names.map((each) => ({ name: each, cluster: { server: `https://${each}` } })),
    contexts: names.map((each) => ({ name: each, context: { cluster: each } })),
    'current-context': name,
  };
  await writeFile(path, JSON.stringify(config));
  return path;
}

async function kubeconfigOfHome(): Promise<void> {
  await mkdir(join(home, '.kube'));
  await kubeconfig('home', join(home, '.kube', 'config'));
}

/** Name of the server that the operator connects to with these flags and variables. */
async function serverOf(flags: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return (await openConnection(loadConfig(flags, env), new ManualClock())).server.hostname;
}

test('a flag names the kubeconfig before KUBECONFIG does, and KUBECONFIG before the pod', async () => {
  await kubeconfigOfHome();
  const KUBECONFIG = await kubeconfig('variable');
  const flag = `--kubeconfig=${await kubeconfig('flag')}`;
  expect(await serverOf([flag], { ...pod, KUBECONFIG })).toBe('flag');
  expect(await serverOf([], { ...pod, KUBECONFIG })).toBe('variable');
  expect(await serverOf(['--context=variable-dev'], { ...pod, KUBECONFIG })).toBe('variable-dev');
});

test('without both, a pod is asked before the home directory, which only a context makes first', async () => {
  await kubeconfigOfHome();
  expect(await serverOf([], pod)).toBe('pod');
  expect(await serverOf([])).toBe('home');
  expect(await serverOf(['--context', 'home-dev'], pod)).toBe('home-dev');
});

test('where there is no cluster, the flag that names one is in the message', async () => {
  await expect(serverOf([])).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('Set --kubeconfig or KUBECONFIG'),
  });
  const missing = join(home, '.kube', 'config');
  await expect(serverOf(['--context=dev'])).rejects.toThrow(`${missing} does not exist`);
  await expect(serverOf([], { ...pod, KUBECONFIG: missing })).rejects.toThrow(`${missing} does not exist`);
});
