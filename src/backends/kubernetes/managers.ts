import { MANAGED_BY_LABEL } from './labels.ts';

/*
 * Programs that write Secrets without an ownerReference, and would undo a change of another writer. Each says so on the
 * Secret: by its own label or annotation, or by the label that Kubernetes recommends for it.
 */

type Pairs = Readonly<Record<string, string>>;

interface Manager {
  readonly name: string;
  /** Absent: any value. */
  readonly value?: string;
}

const LABELS: ReadonlyMap<string, Manager> = new Map([
  // Set by cert-manager on each Secret that it issues to: "for attention of" its controller.
  ['controller.cert-manager.io/fao', { name: 'cert-manager', value: 'true' }],
  ['reconcile.external-secrets.io/managed', { name: 'External Secrets', value: 'true' }],
  ['secrets.hashicorp.com/vso-ownerRefUID', { name: 'Vault Secrets Operator' }],
  ['kustomize.toolkit.fluxcd.io/name', { name: 'Flux' }],
  ['helm.toolkit.fluxcd.io/name', { name: 'Flux' }],
]);

const ANNOTATIONS: ReadonlyMap<string, Manager> = new Map([
  ['cert-manager.io/certificate-name', { name: 'cert-manager' }],
  ['sealedsecrets.bitnami.com/managed', { name: 'Sealed Secrets', value: 'true' }],
  ['meta.helm.sh/release-name', { name: 'Helm' }],
  ['argocd.argoproj.io/tracking-id', { name: 'Argo CD' }],
  // A copy that it made or fills.
  ['replicator.v1.mittwald.de/replicate-from', { name: 'kubernetes-replicator' }],
  ['replicator.v1.mittwald.de/replicated-at', { name: 'kubernetes-replicator' }],
  ['reflector.v1.k8s.emberstack.com/reflects', { name: 'Reflector' }],
]);

/** What copies a Secret to other namespaces, and removes these copies with it. */
const REPLICATED: ReadonlyMap<string, Manager> = new Map([
  ['replicator.v1.mittwald.de/replicate-to', { name: 'kubernetes-replicator' }],
  ['replicator.v1.mittwald.de/replicate-to-matching', { name: 'kubernetes-replicator' }],
  ['replicator.v1.mittwald.de/replication-allowed', { name: 'kubernetes-replicator', value: 'true' }],
  ['reflector.v1.k8s.emberstack.com/reflection-allowed', { name: 'Reflector', value: 'true' }],
  ['kubed.appscode.com/sync', { name: 'Config Syncer' }],
]);

/** cert-manager (pkg/apis/certmanager/v1): without it the cainjector injects nothing of a Secret. */
const DIRECT_INJECTION = 'cert-manager.io/allow-direct-injection';

/**
 * The program that a Secret says it is written by, if that is not Keyferry; undefined if it says nothing. Labels and
 * annotations go along with a copy, so what they say is not true of a Secret that Keyferry made.
 */
export function managerOf({
  labels = {},
  annotations = {},
}: {
  readonly labels?: Pairs | undefined;
  readonly annotations?: Pairs | undefined;
}): string | undefined {
  const managedBy = labels[MANAGED_BY_LABEL];
  if (managedBy === 'keyferry') return undefined;
  return (
    namedIn(labels, LABELS) ?? namedIn(annotations, ANNOTATIONS) ?? (managedBy === '' ? undefined : managedBy)
  );
}

/** The program that copies a Secret to other namespaces; undefined if the Secret asks for none. */
export function replicatorOf({
  annotations = {},
}: {
  readonly annotations?: Pairs | undefined;
}): string | undefined {
  return namedIn(annotations, REPLICATED);
}

/** True if cert-manager may put the CA of the Secret into webhooks, API services and CRDs that name it. */
export function suppliesCa({ annotations = {} }: { readonly annotations?: Pairs | undefined }): boolean {
  return Object.hasOwn(annotations, DIRECT_INJECTION) && annotations[DIRECT_INJECTION] === 'true';
}

function namedIn(pairs: Pairs, managers: ReadonlyMap<string, Manager>): string | undefined {
  for (const [key, { name, value }] of managers) {
    const found = Object.hasOwn(pairs, key) ? pairs[key] : undefined;
    if (found !== undefined && (value === undefined || found === value)) return name;
  }
  return undefined;
}
