import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildTool, type Report } from './build.ts';
import { findInPath, isExecutable } from './executable.ts';
import { parseVersion, readTools, type Tool, type Version } from './tools.ts';

const run = promisify(execFile);
const VERSION_TIMEOUT_MS = 30_000;

export type KvProduct = 'openbao' | 'vault';

/** Absolute paths of everything a cluster runs. */
export interface Binaries {
  readonly etcd: string;
  readonly apiserver: string;
  readonly controllerManager: string;
  readonly kubectl: string;
  readonly kvServer: string;
  /** What `kvServer` calls itself; decides how it is unsealed. */
  readonly kvProduct: KvProduct;
}

/**
 * Finds each program: environment variable, PATH and KUBEBUILDER_ASSETS (if the version fits), cache folder; what is
 * missing is built once from its pinned module. The KV server is OpenBao where KEYFERRY_BAO_BIN or PATH has it.
 */
export async function findBinaries(report: Report, environment = process.env): Promise<Binaries> {
  const tools = readTools();
  const find = (tool: Tool): Promise<string> => findTool(tool, report, environment);
  // One after the other: Go builds use all cores by themselves, and the Kubernetes tools share compiled packages.
  const etcd = await find(tools.etcd);
  const apiserver = await find(tools['kube-apiserver']);
  const controllerManager = await find(tools['kube-controller-manager']);
  const kubectl = await find(tools.kubectl);
  const openBao = await findOpenBao(environment);
  const kvServer = openBao ?? (await find(tools.vault));
  const kvProduct = openBao === undefined ? 'vault' : 'openbao';
  return { etcd, apiserver, controllerManager, kubectl, kvServer, kvProduct };
}

/** Finds one program, as `findBinaries` says. */
export async function findTool(tool: Tool, report: Report, environment: NodeJS.ProcessEnv): Promise<string> {
  const named = await fromVariable(tool.variable, environment);
  if (named !== undefined) return named;
  const pinned = parseVersion(tool.version);
  const inPath = tool.notInPath === true ? [] : await findInPath(tool.name, environment);
  for (const candidate of inPath) {
    const found = parseVersion(await versionOutput(candidate, tool.versionArguments));
    if (found !== undefined && pinned !== undefined && tool.accepts(found, pinned)) return candidate;
    report(`${candidate} is ${describe(found)}, needed is ${tool.acceptable}: not used`);
  }
  const cached = join(cacheFolder(environment), `${tool.name}-v${tool.version}`);
  if (!(await isExecutable(cached))) await buildTool(tool, cached, report, environment);
  return cached;
}

/** OpenBao is never built: its module has no version that Go resolves (reference/openbao.md, section 1). */
async function findOpenBao(environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const named = await fromVariable('KEYFERRY_BAO_BIN', environment);
  if (named !== undefined) {
    if (await isOpenBao(named)) return named;
    throw new Error(`KEYFERRY_BAO_BIN is ${named}, which does not call itself OpenBao.`);
  }
  for (const candidate of await findInPath('bao', environment)) {
    if (await isOpenBao(candidate)) return candidate;
  }
  return undefined;
}

async function isOpenBao(program: string): Promise<boolean> {
  return (await versionOutput(program, ['version'])).startsWith('OpenBao ');
}

async function fromVariable(variable: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const named = environment[variable];
  if (named === undefined || named === '') return undefined;
  if (await isExecutable(named)) return named;
  throw new Error(`${variable} is ${named}, which is not an executable file.`);
}

function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const base = environment['XDG_CACHE_HOME'] ?? '';
  return join(base === '' ? join(homedir(), '.cache') : base, 'keyferry', 'bin');
}

/** Empty when the program cannot be run. */
export async function versionOutput(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(program, args, { timeout: VERSION_TIMEOUT_MS })).stdout;
  } catch {
    return '';
  }
}

function describe(version: Version | undefined): string {
  return version === undefined ? 'of unknown version' : `version ${version.join('.')}`;
}

// `make cluster-binaries`: do the long part now and not in the first test run.
if (import.meta.main) {
  const report: Report = (line) => void process.stderr.write(`${line}\n`);
  const binaries = await findBinaries(report);
  for (const [name, file] of Object.entries(binaries)) report(`${name}: ${file}`);
}
