import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { load } from 'js-yaml';
import { KIND_DEFINITIONS } from '#src/generate/kind-definitions.ts';
import { startCluster, type Cluster } from '#test/cluster/cluster.ts';
import { findInPath } from '#test/cluster/executable.ts';
import { findHelm } from '#test/cluster/helm-tools.ts';
import { pkiFile } from '#test/cluster/state.ts';
import { OPERATOR_BUNDLE, startOperator, type OperatorProcess } from '#test/support/operator-process.ts';
import { problemsOf, schemaOf } from '#test/support/structural-check.ts';
import { directoryRootOf } from '#test/support/token-files.ts';
import { preparation, type Needs, type Page, type Step } from './blocks/page.ts';
import { runStep, writeOutputs, type Edit } from './step.ts';
import { Gateway } from './gateway.ts';
import { Baseline } from './leftovers.ts';
import { PodStandIn } from './pod-stand-in.ts';
import { Shell } from './shell.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** What a page may change: it gets copies. Everything else is linked. */
const COPIED: ReadonlySet<string> = new Set(['charts', 'config', 'crds', 'docs']);
const KIND_NAMES = KIND_DEFINITIONS.map(({ kind }) => kind);
/** The API server as a pod addresses it. Pages write it; servers of the harness know the real address. */
const DOCUMENTED_API = 'https://kubernetes.default.svc';
/** The --directory-root of the operator. */
const DOCUMENTED_ROOT = '/var/lib/keyferry';
/** Its metrics, as the containers of its pod and `kubectl port-forward` reach them. */
const DOCUMENTED_METRICS = 'http://127.0.0.1:8080/metrics';

interface Parts {
  readonly cluster: Cluster;
  readonly gateway: Gateway;
  /** What was there before the first page. */
  readonly baseline: Baseline;
  readonly operator: OperatorProcess | undefined;
  readonly folder: string;
}

/** One cluster on which pages run one after the other. */
export class Rig implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #gateway: Gateway;
  readonly #baseline: Baseline;
  readonly #operator: OperatorProcess | undefined;
  readonly #folder: string;
  /** Programs that pages call. */
  readonly #bin: string;

  private constructor({ cluster, gateway, baseline, operator, folder }: Parts) {
    this.#cluster = cluster;
    this.#gateway = gateway;
    this.#baseline = baseline;
    this.#operator = operator;
    this.#folder = folder;
    this.#bin = join(folder, 'bin');
  }

  /** Starts a cluster with what pages of this kind need. */
  static async start(needs: Needs): Promise<Rig> {
    await requirePrograms();
    const cluster = await startCluster({ report: () => undefined });
    const folder = mkdtempSync(join(tmpdir(), 'keyferry-docs-'));
    await writePrograms(cluster, join(folder, 'bin'));
    if (needs !== 'installs') await cluster.installKeyferry();
    const [gateway, baseline] = [await Gateway.start(cluster.baoUrl), await Baseline.take(cluster)];
    const operator =
      needs === 'operator' ? await startOperator(cluster, { environment: gateway.environment }) : undefined;
    return new Rig({ cluster, gateway, baseline, operator, folder });
  }

  /**
   * Runs a page and removes what it left. Throws with the page, the line, and the output or a diff when a command fails, does
   * not fail although the page says so, or prints something else than the page shows.
   */
  async run(page: Page): Promise<void> {
    const folder = this.#workingCopy();
    const scratch = mkdtempSync(join(this.#folder, 'page-'));
    const shell = new Shell({ folder, scratch, environment: this.#environment(scratch) });
    const node =
      page.needs === 'installs' ? new PodStandIn(this.#cluster, this.#gateway.environment) : undefined;
    try {
      for (const name of page.prepared) await prepare(shell, name, this.#cluster.apiserverUrl);
      const aliases = this.#aliases();
      const edits: Edit[] = [];
      for (const step of page.steps) {
        if (step.kind === 'fragment') checkFragment(page.file, step);
        else edits.push(...(await runStep(page.file, step, { shell, aliases })));
      }
      if (edits.length > 0) writeOutputs(page.file, edits);
    } finally {
      shell.end();
      await node?.[Symbol.asyncDispose]();
      const left = await this.#baseline.restore();
      emptyFolder(directoryRootOf(this.#cluster));
      // Only when nothing else is wrong.
      if (left.length > 0)
        process.stderr.write(`${page.file} left in the namespace default: ${left.join(', ')}\n`);
    }
  }

  /** What a page says → what the harness has. */
  #aliases(): Readonly<Record<string, string>> {
    return {
      [DOCUMENTED_API]: this.#cluster.apiserverUrl,
      [DOCUMENTED_ROOT]: directoryRootOf(this.#cluster),
      ...(this.#operator === undefined ? {} : { [DOCUMENTED_METRICS]: this.#operator.metricsUrl }),
    };
  }

  /** The root of the repository, as the reader has it. */
  #workingCopy(): string {
    const folder = mkdtempSync(join(this.#folder, 'repository-'));
    for (const name of readdirSync(ROOT)) {
      if (COPIED.has(name)) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
      else symlinkSync(join(ROOT, name), join(folder, name));
    }
    // What an administrator copies from the node of the API server.
    cpSync(pkiFile(this.#cluster.folder, 'service-account', 'pub'), join(folder, 'sa.pub'));
    return folder;
  }

  #environment(scratch: string): Readonly<Record<string, string>> {
    const kubeconfig = join(scratch, 'kubeconfig');
    cpSync(this.#cluster.kubeconfigPath, kubeconfig);
    return {
      PATH: [this.#bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      HOME: scratch,
      KUBECONFIG: kubeconfig,
      LC_ALL: 'C.UTF-8',
      BAO_ADDR: this.#cluster.baoUrl,
      BAO_TOKEN: this.#cluster.rootToken,
      BAO_CACERT: this.#cluster.baoCaPath,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#operator?.stop();
    await this.#gateway[Symbol.asyncDispose]();
    await this.#cluster.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The operator holds the folder itself open. */
function emptyFolder(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}

async function prepare(shell: Shell, name: string, api: string): Promise<void> {
  const script = readFileSync(preparation(name), 'utf8').replaceAll(DOCUMENTED_API, api);
  const { code, output } = await shell.run(script, { mayFail: false });
  if (code !== 0) throw new Error(`${preparation(name)} failed:\n${output}`);
}

/** A fragment is part of an object of one of our kinds: what it has must be in the schema of one of them. */
function checkFragment(file: string, { line, text }: Step): void {
  const problems = KIND_NAMES.map((kind) =>
    problemsOf(schemaOf(kind), load(text)).filter((problem) => !problem.endsWith(': missing')),
  );
  if (problems.some((found) => found.length === 0)) return;
  throw new Error(
    `${file}:${line}: not a part of any of our kinds:\n${problems.map((found) => found.join('; ')).join('\n')}`,
  );
}

/** Programs of a reader that no test of ours brings along. */
const OF_THE_READER = ['jq', 'curl', 'openssl'];

async function requirePrograms(): Promise<void> {
  const missing: string[] = [];
  for (const name of OF_THE_READER)
    if ((await findInPath(name, process.env)).length === 0) missing.push(name);
  if (missing.length === 0) return;
  const names = missing.join(' ');
  throw new Error(
    `The pages of docs/ call ${names}, which PATH does not have. Install: apt-get install ${names}`,
  );
}

/** A real `bao` where there is one, otherwise the translator; and the other programs, with our plugin of kubectl. */
async function writePrograms(cluster: Cluster, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  symlinkSync(cluster.kubectlProgram, join(folder, 'kubectl'));
  symlinkSync(await findHelm(4, () => undefined), join(folder, 'helm'));
  symlinkSync(OPERATOR_BUNDLE, join(folder, 'kubectl-keyferry'));
  symlinkSync(OPERATOR_BUNDLE, join(folder, 'keyferry'));
  const isReal = cluster.isOpenBao && process.env['KEYFERRY_DOCS_BAO'] !== 'translator';
  if (isReal) symlinkSync(cluster.baoProgram, join(folder, 'bao'));
  else {
    const program = join(folder, 'bao');
    writeFileSync(
      program,
      `#!/bin/sh\nexec '${process.execPath}' '${join(import.meta.dirname, 'bao', 'bao.ts')}' "$@"\n`,
    );
    chmodSync(program, 0o755);
  }
}
