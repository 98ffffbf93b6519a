import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { z } from 'zod';
import { findHelm, type HelmMajor } from '#test/cluster/helm-tools.ts';
import { runKubectl, type KubectlResult } from '#test/cluster/kubectl.ts';

/** The chart, as a path for Helm. */
export const CHART = join(import.meta.dirname, '../../charts/keyferry');

/** Names as those in config/: release, and namespace. */
export const RELEASE = ['keyferry', CHART, '--namespace', 'keyferry-system'] as const;

/** Any object of a manifest. */
export const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});
export type Manifest = z.output<typeof Manifest>;

/** Helm of one major version, with a home of its own. */
export class Helm {
  readonly #program: string;
  readonly #kubeconfig: string;
  readonly #home = mkdtempSync(join(tmpdir(), 'keyferry-helm-'));

  private constructor(program: string, kubeconfig: string) {
    this.#program = program;
    this.#kubeconfig = kubeconfig;
  }

  /** Without `kubeconfig`, it reaches no cluster. */
  static async find(major: HelmMajor, kubeconfig = '/dev/null'): Promise<Helm> {
    return new Helm(await findHelm(major, () => undefined), kubeconfig);
  }

  /** A non-zero exit is a result, not an error. */
  async run(args: readonly string[]): Promise<KubectlResult> {
    return await runKubectl({ program: this.#program, kubeconfig: this.#kubeconfig, home: this.#home }, args);
  }

  /** As `run`, but throws with what Helm said when it failed. */
  async mustRun(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** The objects that `helm template` renders with these settings, without those of `helm test`. */
  async template(settings: readonly string[] = []): Promise<readonly Manifest[]> {
    return parseManifests(await this.mustRun(['template', '--skip-tests', ...RELEASE, ...settings]));
  }
}

/** Every object of a multi-document YAML text. */
export function parseManifests(text: string): readonly Manifest[] {
  return loadAll(text)
    .filter((object) => object !== null && object !== undefined)
    .map((object) => Manifest.parse(object));
}
