/**
 * `make kind`: a kind cluster with the published OpenBao, the operator from the chart, and the main job in pods. It can be run
 * again on the same cluster; `make kind-down` removes it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findHelm } from '#test/cluster/helm-tools.ts';
import {
  installChart,
  migrate,
  rotate,
  setUpOpenBao,
  startOpenBao,
  type Place,
} from '#test/support/demo-in-pods.ts';
import { OPENBAO_IMAGE } from './images.ts';
import { checkRequirements } from './requirements.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLUSTER = 'keyferry';

const work = mkdtempSync(join(tmpdir(), 'keyferry-kind-'));
const kubeconfig = join(ROOT, '.kind', 'kubeconfig');

/** Runs a program and returns its output. Errors of the program are shown. */
function run(program: string, args: readonly string[], cwd = ROOT): string {
  return execFileSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64_000_000,
  });
}

function kind(...args: readonly string[]): string {
  return run('go', ['tool', 'kind', ...args], join(ROOT, 'test', 'cluster', 'kind'));
}

function say(line: string): void {
  process.stdout.write(`\n== ${line}\n`);
}

function createCluster(): void {
  mkdirSync(join(ROOT, '.kind'), { recursive: true });
  const exists = kind('get', 'clusters').split('\n').includes(CLUSTER);
  if (exists) kind('export', 'kubeconfig', '--name', CLUSTER, '--kubeconfig', kubeconfig);
  else {
    const config = join(import.meta.dirname, 'cluster.yaml');
    const target = ['--name', CLUSTER, '--kubeconfig', kubeconfig];
    kind('create', 'cluster', ...target, '--config', config, '--wait', '180s');
  }
}

/** The image has the name that the chart names; it is never pulled. */
function loadOperator(engine: string): void {
  const archive = join(work, 'keyferry.tar');
  run('make', ['image', `ENGINE=${engine}`, `ARCHIVE=${archive}`]);
  kind('load', 'image-archive', archive, '--name', CLUSTER);
}

async function findPlace(): Promise<Place> {
  const setup = { kubeconfig, home: homedir() };
  const helm = await findHelm(4, (line) => void process.stderr.write(`${line}\n`));
  const image = process.env['KEYFERRY_OPENBAO_IMAGE'] ?? OPENBAO_IMAGE;
  return {
    kubectl: { ...setup, program: 'kubectl' },
    helm: { ...setup, program: helm },
    product: 'openbao',
    adapt: (manifest) => manifest.replaceAll('OPENBAO_IMAGE', image),
    values: { image: { pullPolicy: 'Never' } },
  };
}

try {
  const { engine } = checkRequirements();
  say('kind cluster');
  createCluster();
  say('image of the operator');
  loadOperator(engine);
  const place = await findPlace();
  say('OpenBao');
  await startOpenBao(place);
  await setUpOpenBao(place);
  say('chart');
  await installChart(place);
  say('migration and workload');
  process.stdout.write(await migrate(place));
  say('rotation in OpenBao');
  await rotate(place);
  say(`Pods read the migrated and the rotated values. Look around: export KUBECONFIG=${kubeconfig}`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
