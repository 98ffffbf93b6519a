import { LEASES, parseLease, type LeaseRecord } from '#src/runtime/lease-record.ts';
import { COMMON_SLICE, leaseOfSlice, MOST_SLICES } from '#src/runtime/slice-of.ts';
import type { JsonObject } from '#src/kube/json.ts';
import type { Resource } from '#src/kube/resource.ts';
import { durationText } from '../age.ts';
import { printable } from '../output.ts';
import type { Examined, Finding } from './finding.ts';
import { listAt, numberAt, textAt } from '../members.ts';
import { mayNotLook, readList, readObject } from './read.ts';

const DEPLOYMENTS: Resource = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
};
const SELECTOR = 'app.kubernetes.io/name=keyferry';
const DEFAULT_LEASE = 'keyferry-operator';
const DEFAULT_ACCOUNT = 'keyferry';
const CHECK = 'operator';

/** What the Deployment says of the operator. */
export interface Installed {
  readonly deployment: JsonObject | undefined;
  readonly leaseName: string;
  /** Into how many the replicas cut the work. */
  readonly slices: number;
  readonly serviceAccount: string;
}

/** The operator as its Deployment declares it; the defaults of config/ where there is none, or the user may not see it. */
export async function installedOperator(
  examined: Examined,
): Promise<Installed & { readonly isHidden: boolean }> {
  const namespace = examined.operatorNamespace;
  const listed = await readList(examined, DEPLOYMENTS, { namespace, labelSelector: SELECTOR });
  const [deployment] = typeof listed === 'string' ? [] : listed;
  const args = argumentsOf(deployment);
  const flag = (name: string): string | undefined =>
    args.find((each) => each.startsWith(`--${name}=`))?.slice(`--${name}=`.length);
  const account = textAt(deployment, 'spec', 'template', 'spec', 'serviceAccountName');
  return {
    deployment,
    leaseName: flag('lease-name') ?? DEFAULT_LEASE,
    slices: slicesIn(flag('slices')),
    serviceAccount: account || DEFAULT_ACCOUNT,
    isHidden: listed === 'forbidden',
  };
}

/** What the operator refuses counts as one: it does not work then. */
function slicesIn(text: string | undefined): number {
  const slices = Number(text ?? 1);
  return Number.isInteger(slices) && slices >= 1 && slices <= MOST_SLICES ? slices : 1;
}

function argumentsOf(deployment: JsonObject | undefined): readonly string[] {
  const [container] = listAt(deployment, 'spec', 'template', 'spec', 'containers');
  return listAt(container, 'args').filter((each) => typeof each === 'string');
}

/** An operator of this version is installed, and each part of the work has a replica that leads. */
export async function checkOperator(examined: Examined): Promise<readonly Finding[]> {
  const installed = await installedOperator(examined);
  const { deployment, isHidden } = installed;
  return [
    ...(isHidden ? [mayNotLook(CHECK, DEPLOYMENTS)] : []),
    ...(deployment === undefined ? [] : [readiness(examined, deployment), ...version(examined, deployment)]),
    ...(await leaderships(examined, installed)),
  ];
}

function readiness({ operatorNamespace }: Examined, deployment: JsonObject): Finding {
  const name = textAt(deployment, 'metadata', 'name');
  const wanted = numberAt(deployment, 'spec', 'replicas');
  const ready = numberAt(deployment, 'status', 'readyReplicas');
  const found = `Deployment ${operatorNamespace}/${name}: ${ready} of ${wanted} replicas are ready.`;
  if (wanted > 0 && ready === wanted) return { level: 'ok', check: CHECK, found };
  const fix =
    wanted === 0
      ? `kubectl scale deployment/${name} -n ${operatorNamespace} --replicas=1`
      : `kubectl describe pods -n ${operatorNamespace} -l ${SELECTOR}`;
  return { level: ready === 0 ? 'problem' : 'warning', check: CHECK, found, fix };
}

/** The tag of the image, or what the labels say of an image by digest. */
function version(examined: Examined, deployment: JsonObject): readonly Finding[] {
  const [container] = listAt(deployment, 'spec', 'template', 'spec', 'containers');
  const tag = /:([A-Za-z0-9_.-]+)$/.exec(textAt(container, 'image').replace(/@.*$/, ''))?.[1];
  const running = tag ?? textAt(deployment, 'metadata', 'labels', 'app.kubernetes.io/version');
  if (running === '') return [];
  if (running === examined.version)
    return [
      { level: 'ok', check: CHECK, found: `The operator has the version of this program, ${running}.` },
    ];
  return [
    {
      level: 'warning',
      check: CHECK,
      found: `The operator has version ${printable(running)}, and this program ${examined.version}.`,
      fix: 'keyferry --version    # install the version of the operator, or upgrade the operator',
    },
  ];
}

/** The first Lease, and each further one that has no holder. */
async function leaderships(examined: Examined, installed: Installed): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (let slice = 0; slice < installed.slices; slice += 1) {
    const leaseName = leaseOfSlice(installed.leaseName, slice);
    const finding = await leadership(examined, { ...installed, leaseName });
    const isSaid = findings.some(({ found }) => found === finding.found);
    if (!isSaid && (slice === COMMON_SLICE || finding.level !== 'ok')) findings.push(finding);
  }
  return findings;
}

async function leadership(examined: Examined, { deployment, leaseName }: Installed): Promise<Finding> {
  const { operatorNamespace: namespace } = examined;
  const lease = await readObject(examined, LEASES, { namespace, name: leaseName });
  if (lease === 'forbidden') return mayNotLook(CHECK, LEASES);
  const fix =
    deployment === undefined
      ? 'helm install keyferry charts/keyferry --namespace keyferry-system --create-namespace    # or name its namespace: keyferry doctor --namespace-of-operator'
      : `kubectl logs -n ${namespace} deployment/${textAt(deployment, 'metadata', 'name')}`;
  if (lease === 'absent') {
    const found = `No operator has worked here: there is no Lease ${namespace}/${leaseName}.`;
    return { level: 'problem', check: CHECK, found, fix };
  }
  const { record } = parseLease(lease, leaseName);
  const ageMs = ageOfRenewal(examined, record);
  if (record.holderIdentity === '') {
    const found = `No replica leads: the Lease ${namespace}/${leaseName} was given back ${durationText(ageMs)} ago.`;
    return { level: 'problem', check: CHECK, found, fix };
  }
  const holder = printable(record.holderIdentity);
  // A second of a reply, and one of rounding.
  if (ageMs > record.leaseDurationSeconds * 1000 + 2000) {
    const found = `No replica leads: ${holder} renewed the Lease ${namespace}/${leaseName} ${durationText(ageMs)} ago.`;
    return { level: 'problem', check: CHECK, found, fix };
  }
  return {
    level: 'ok',
    check: CHECK,
    found: `${holder} leads, and renewed its Lease ${durationText(ageMs)} ago.`,
  };
}

/** By the clock of the server, as far as it is known: that of this machine can be wrong. */
function ageOfRenewal({ clock, cluster }: Examined, { renewTime }: LeaseRecord): number {
  const at = renewTime === undefined ? Number.NaN : Date.parse(renewTime);
  const now = clock.now() - (cluster.serverTime.skewMs() ?? 0);
  return Number.isNaN(at) ? Number.POSITIVE_INFINITY : Math.max(0, now - at);
}
