import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildTool, type Report } from './build.ts';
import { envtestPrograms, fetchEnvtest } from './envtest.ts';
import { findInPath, isExecutable } from './executable.ts';
import { OPENBAO_VERSION, openBaoArchive } from './openbao.ts';
import { Progress, progressOutput } from './progress.ts';
import { downloadProgram } from './published.ts';
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
 * Finds each program: environment variable, PATH and KUBEBUILDER_ASSETS (if the version fits), cache folder. What is missing is
 * downloaded where a release is published and the host can be reached (KEYFERRY_DOWNLOAD=no prevents it), else built once from
 * its pinned module. The KV server is OpenBao where KEYFERRY_BAO_BIN, PATH, the cache or its release has it, else Vault.
 */
export async function findBinaries(report: Report, environment = process.env): Promise<Binaries> {
  const { vault, ...kubernetes } = readTools();
  const kv = await findKvServer(vault, report, environment);
  const tools = [...Object.values(kubernetes), ...(kv === undefined ? [vault] : [])];
  const found = await findTools(tools, report, environment);
  return {
    etcd: found('etcd'),
    apiserver: found('kube-apiserver'),
    controllerManager: found('kube-controller-manager'),
    kubectl: found('kubectl'),
    ...(kv ?? { kvServer: found('vault'), kvProduct: 'vault' }),
  };
}

/** Finds or gets one program, as `findBinaries` says. */
export async function findTool(tool: Tool, report: Report, environment: NodeJS.ProcessEnv): Promise<string> {
  return (await findTools([tool], report, environment))(tool.name);
}

/** Finds or gets several programs, as `findBinaries` says; returns the path of each by its name. */
export async function findTools(
  tools: readonly Tool[],
  report: Report,
  environment: NodeJS.ProcessEnv,
): Promise<(name: string) => string> {
  const paths = new Map<string, string>();
  const findExisting = async (): Promise<readonly Tool[]> => {
    for (const tool of tools) {
      const existing = paths.get(tool.name) ?? (await existingProgram(tool, report, environment));
      if (existing !== undefined) paths.set(tool.name, existing);
    }
    return tools.filter(({ name }) => !paths.has(name));
  };
  let missing = await findExisting();
  const minor = missing.find(({ envtestMinor }) => envtestMinor !== undefined)?.envtestMinor;
  if (minor !== undefined && mayDownload(environment)) {
    const request = { minor, folder: envtestFolder(environment), environment };
    if (await succeeds(`envtest ${minor}`, report, () => fetchEnvtest(request)))
      missing = await findExisting();
  }
  await buildAll(missing, report, environment);
  for (const tool of missing) paths.set(tool.name, cachedFile(tool, environment));
  return (name) => {
    const path = paths.get(name);
    if (path === undefined) throw new Error(`${name} is not one of the programs to find`);
    return path;
  };
}

async function buildAll(
  tools: readonly Tool[],
  report: Report,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const steps = tools.map((tool) => ({
    tool,
    name: `${tool.name} v${tool.version}`,
    expectedSeconds: tool.buildMinutes * 60,
  }));
  const progress = new Progress(steps, progressOutput(report));
  // One after the other: Go builds use all cores by themselves, and the Kubernetes tools share compiled packages.
  for (const step of steps) {
    await progress.during(step, 'building once from source', () =>
      buildTool(step.tool, cachedFile(step.tool, environment), report, environment),
    );
  }
}

async function existingProgram(
  tool: Tool,
  report: Report,
  environment: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const named = await fromVariable(tool.variable, environment);
  if (named !== undefined) return named;
  const inPath = tool.notInPath === true ? [] : await findInPath(tool.name, environment);
  for (const candidate of inPath) {
    const found = parseVersion(await versionOutput(candidate, tool.versionArguments));
    if (isAcceptable(tool, found)) return candidate;
    report(`${candidate} is ${describe(found)}, needed is ${tool.acceptable}: not used`);
  }
  const cached = cachedFile(tool, environment);
  if (await isExecutable(cached)) return cached;
  if (tool.envtestMinor === undefined) return undefined;
  for (const candidate of await envtestPrograms(tool.name, tool.envtestMinor, envtestFolder(environment))) {
    if (isAcceptable(tool, parseVersion(await versionOutput(candidate, tool.versionArguments))))
      return candidate;
  }
  return undefined;
}

function isAcceptable(tool: Tool, found: Version | undefined): boolean {
  const pinned = parseVersion(tool.version);
  return found !== undefined && pinned !== undefined && tool.accepts(found, pinned);
}

/**
 * The KV server that the machine has, or the published OpenBao; undefined when Vault must be built. OpenBao is never built: its
 * module has no version that Go resolves (reference/openbao.md, section 1).
 */
async function findKvServer(
  vault: Tool,
  report: Report,
  environment: NodeJS.ProcessEnv,
): Promise<Pick<Binaries, 'kvServer' | 'kvProduct'> | undefined> {
  const cached = join(cacheFolder(environment), 'bin', `bao-v${OPENBAO_VERSION}`);
  const openBao = await findOpenBao(cached, environment);
  if (openBao !== undefined) return { kvServer: openBao, kvProduct: 'openbao' };
  const existing = await existingProgram(vault, report, environment);
  if (existing !== undefined) return { kvServer: existing, kvProduct: 'vault' };
  const archive = openBaoArchive(environment);
  if (archive === undefined || !mayDownload(environment)) return undefined;
  const title = `OpenBao v${OPENBAO_VERSION}`;
  if (!(await succeeds(title, report, () => downloadProgram(archive, cached)))) return undefined;
  return { kvServer: cached, kvProduct: 'openbao' };
}

async function findOpenBao(cached: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const named = await fromVariable('KEYFERRY_BAO_BIN', environment);
  if (named !== undefined) {
    if (await isOpenBao(named)) return named;
    throw new Error(`KEYFERRY_BAO_BIN is ${named}, which does not call itself OpenBao.`);
  }
  for (const candidate of [...(await findInPath('bao', environment)), cached]) {
    if (await isOpenBao(candidate)) return candidate;
  }
  return undefined;
}

async function isOpenBao(program: string): Promise<boolean> {
  return (await versionOutput(program, ['version'])).startsWith('OpenBao ');
}

/** What cannot be downloaded is built; the reason is reported, above all that of an archive with other bytes. */
async function succeeds(title: string, report: Report, download: () => Promise<void>): Promise<boolean> {
  try {
    report(`${title}: downloading`);
    await download();
    return true;
  } catch (error) {
    report(`${title}: not downloaded: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

function mayDownload(environment: NodeJS.ProcessEnv): boolean {
  return environment['KEYFERRY_DOWNLOAD'] !== 'no';
}

async function fromVariable(variable: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const named = environment[variable];
  if (named === undefined || named === '') return undefined;
  if (await isExecutable(named)) return named;
  throw new Error(`${variable} is ${named}, which is not an executable file.`);
}

function cachedFile(tool: Tool, environment: NodeJS.ProcessEnv): string {
  return join(cacheFolder(environment), 'bin', `${tool.name}-v${tool.version}`);
}

function envtestFolder(environment: NodeJS.ProcessEnv): string {
  return join(cacheFolder(environment), 'envtest');
}

/** Where programs are kept from one run to the next. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const base = environment['XDG_CACHE_HOME'] ?? '';
  return join(base === '' ? join(homedir(), '.cache') : base, 'keyferry');
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
