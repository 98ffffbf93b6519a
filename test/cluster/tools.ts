import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The pinned programs of every cluster, built from source; their versions stand in the go.mod files beside this one. */
export type ToolName = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kubectl' | 'vault';

export type Version = readonly [major: number, minor: number, patch: number];

export interface Tool {
  readonly name: string;
  /** Environment variable that names the program to use instead; trusted as it is. */
  readonly variable: string;
  /** Folder with the go.mod that pins the program. */
  readonly moduleFolder: string;
  /** Go package of the program's main function. */
  readonly packagePath: string;
  /** As the go.mod says, without the `v`; it names the file in the cache folder. */
  readonly version: string;
  /** Minutes of a cold build on two quiet cores, after the tools before it in the table; for the progress line. */
  readonly buildMinutes: number;
  /** Arguments that make the program print its version and exit. */
  readonly versionArguments: readonly string[];
  /** Whether a program of this version that is found in PATH is good enough. */
  readonly accepts: (found: Version, pinned: Version) => boolean;
  /** In words, for the error message: what `accepts` accepts. */
  readonly acceptable: string;
  readonly linkerFlags: readonly string[];
  /** Kubernetes minor, as `1.37`, whose envtest release has this program; absent where no release has it. */
  readonly envtestMinor?: string;
  /** Where PATH cannot give the right one: another well-known program has the name, or it is our own. */
  readonly notInPath?: true;
  /** For a program that is partly C. */
  readonly cgo?: { readonly buildTags: readonly string[]; readonly remedy: string };
}

/** The first `1.2.3` in the output of a version command, or undefined. */
export function parseVersion(text: string): Version | undefined {
  const match = /(\d+)\.(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

export function pinnedVersion(moduleFolder: string, modulePath: string): string {
  const goMod = readFileSync(join(moduleFolder, 'go.mod'), 'utf8');
  const line = goMod.split('\n').find((text) => text.trim().startsWith(`${modulePath} v`));
  const version = line?.trim().split(/\s+/)[1];
  if (version === undefined) throw new Error(`${moduleFolder}/go.mod does not require ${modulePath}`);
  return version.slice(1);
}

function kubernetesLinkerFlags(version: string): readonly string[] {
  const [major, minor] = version.split('.');
  // Without these the server calls itself v0.0.0-master+$Format:%H$, which kubectl and Helm cannot parse.
  return ['component-base/version', 'client-go/pkg/version'].flatMap((packageName) => [
    `-X k8s.io/${packageName}.gitVersion=v${version}`,
    `-X k8s.io/${packageName}.gitMajor=${major}`,
    `-X k8s.io/${packageName}.gitMinor=${minor}`,
  ]);
}

/** The go.mod of the default minor, or of the one in KEYFERRY_KUBERNETES. Throws for a minor that is not pinned. */
function kubernetesFolder(): string {
  const minor = process.env['KEYFERRY_KUBERNETES'] ?? '';
  const folder = join(import.meta.dirname, minor === '' ? 'kubernetes' : `kubernetes-${minor}`);
  if (existsSync(join(folder, 'go.mod'))) return folder;
  throw new Error(
    `KEYFERRY_KUBERNETES is ${minor}: leave it out, or set a minor that has a folder, ${folder}`,
  );
}

/** A program of the Kubernetes module. `buildMinutes` as in `Tool`. */
export function kubernetesTool(
  name: 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kubectl' | 'kubelet',
  buildMinutes: number,
): Tool {
  const moduleFolder = kubernetesFolder();
  const version = pinnedVersion(moduleFolder, 'k8s.io/kubernetes');
  const isChosen = (process.env['KEYFERRY_KUBERNETES'] ?? '') !== '';
  const oldestMinor = oldestMinorOf(name, version, isChosen);
  const newestMinor = isChosen ? Number(version.split('.')[1]) : Infinity;
  return {
    name,
    variable: variableOf(name),
    moduleFolder,
    packagePath: `k8s.io/kubernetes/cmd/${name}`,
    version,
    buildMinutes,
    versionArguments: name === 'kubectl' ? ['version', '--client'] : ['--version'],
    accepts: ([major, minor]) => major === 1 && minor >= oldestMinor && minor <= newestMinor,
    acceptable: isChosen ? minorOf(version) : `1.${oldestMinor} or newer`,
    linkerFlags: kubernetesLinkerFlags(version),
    ...(name === 'kube-apiserver' || name === 'kubectl' ? { envtestMinor: minorOf(version) } : {}),
  };
}

function oldestMinorOf(name: string, version: string, isChosen: boolean): number {
  const pinned = Number(version.split('.')[1]);
  if (name !== 'kubectl') return pinned;
  // The demo only applies, gets and waits: it builds no second kubectl. `kubectl wait --for=create` came with 1.31.
  if (process.env['KEYFERRY_KUBECTL'] === 'any') return Math.min(31, pinned);
  return isChosen ? pinned : pinned - 1;
}

/** `1.37.2` → `1.37`. */
function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** `kube-apiserver` → `KEYFERRY_KUBE_APISERVER_BIN`. */
export function variableOf(name: string): string {
  return `KEYFERRY_${name.toUpperCase().replaceAll('-', '_')}_BIN`;
}

function etcdTool(): Tool {
  const moduleFolder = join(import.meta.dirname, 'etcd');
  return {
    name: 'etcd',
    variable: 'KEYFERRY_ETCD_BIN',
    moduleFolder,
    packagePath: 'go.etcd.io/etcd/server/v3',
    version: pinnedVersion(moduleFolder, 'go.etcd.io/etcd/server/v3'),
    buildMinutes: 1,
    versionArguments: ['--version'],
    accepts: ([major, minor]) => major === 3 && minor >= 5,
    acceptable: '3.5 or newer',
    linkerFlags: [],
    envtestMinor: minorOf(pinnedVersion(kubernetesFolder(), 'k8s.io/kubernetes')),
  };
}

function vaultTool(): Tool {
  const moduleFolder = join(import.meta.dirname, 'vault');
  const sources = ['go.mod', 'kv-server/main.go', 'kv-server/client.go', 'no-discovery/discover.go'];
  return {
    name: 'vault',
    variable: 'KEYFERRY_VAULT_BIN',
    moduleFolder,
    // Vault's own main package compiles the clients of every cloud and database, which takes three times as long.
    packagePath: './kv-server',
    version: `${pinnedVersion(moduleFolder, 'github.com/hashicorp/vault')}-${digestOf(moduleFolder, sources)}`,
    buildMinutes: 2,
    versionArguments: ['version'],
    // Later minors are not the code base that OpenBao was forked from.
    accepts: ([major, minor], pinned) => major === pinned[0] && minor === pinned[1],
    acceptable: 'the pinned minor version',
    linkerFlags: [],
  };
}

/** Names the sources of a program of our own: a change is built again. */
export function digestOf(folder: string, files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 12);
}

/** The table of all tools, by name. Reads the go.mod files. */
export function readTools(): Readonly<Record<ToolName, Tool>> {
  return {
    etcd: etcdTool(),
    'kube-apiserver': kubernetesTool('kube-apiserver', 7),
    'kube-controller-manager': kubernetesTool('kube-controller-manager', 2),
    kubectl: kubernetesTool('kubectl', 1),
    vault: vaultTool(),
  };
}
