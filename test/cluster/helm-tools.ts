import { join } from 'node:path';
import { findTool } from './binaries.ts';
import type { Report } from './build.ts';
import { pinnedVersion, type Tool } from './tools.ts';

/** The major versions of Helm that install the chart. */
export type HelmMajor = 3 | 4;

/** Finds Helm in `KEYFERRY_HELM4_BIN` or `KEYFERRY_HELM3_BIN`, PATH or the cache folder, or builds it once. */
export async function findHelm(major: HelmMajor, report: Report, environment = process.env): Promise<string> {
  return await findTool(helmTool(major), report, environment);
}

function helmTool(major: HelmMajor): Tool {
  const moduleFolder = join(import.meta.dirname, `helm${major}`);
  const module = `helm.sh/helm/v${major}`;
  const version = pinnedVersion(moduleFolder, module);
  return {
    name: 'helm',
    variable: `KEYFERRY_HELM${major}_BIN`,
    moduleFolder,
    packagePath: `${module}/cmd/helm`,
    version,
    buildMinutes: 3,
    versionArguments: ['version', '--short'],
    accepts: ([found]) => found === major,
    acceptable: `a version ${major}`,
    linkerFlags: [`-X ${module}/internal/version.version=v${version}`, ...kubernetesOf(major, moduleFolder)],
  };
}

/** Helm 3 takes a chart without a cluster for Kubernetes 1.20 unless it is told otherwise; Helm 4 reads its modules. */
function kubernetesOf(major: HelmMajor, moduleFolder: string): readonly string[] {
  if (major !== 3) return [];
  const [, minor] = pinnedVersion(moduleFolder, 'k8s.io/client-go').split('.');
  return ['chartutil', 'lint/rules'].flatMap((packageName) => [
    `-X helm.sh/helm/v3/pkg/${packageName}.k8sVersionMajor=1`,
    `-X helm.sh/helm/v3/pkg/${packageName}.k8sVersionMinor=${minor}`,
  ]);
}

// `make cluster-binaries`: build both now and not in the first test run.
if (import.meta.main) {
  for (const major of [4, 3] as const) {
    const report: Report = (line) => void process.stderr.write(`${line}\n`);
    report(`helm ${major}: ${await findHelm(major, report)}`);
  }
}
