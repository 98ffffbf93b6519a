import { asksToBeDefault, type Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { defaultOf, namespaceOf, titleOf } from '#src/controllers/backend/names.ts';
import { isReady, readyOf } from '#src/controllers/conditions.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { listObjects, toBackend } from '../backend/stored.ts';
import { printable } from '../output.ts';
import type { Examined, Finding } from './finding.ts';

const CHECK = 'backends';

/** The backends that the user may list: of all namespaces, else of the own one. */
export interface ListedBackends {
  readonly objects: readonly KubeObject[];
  /** Undefined if the user may not list ClusterSecretBackends. */
  readonly shared: readonly KubeObject[] | undefined;
}

export async function listedBackends({ cluster }: Examined): Promise<ListedBackends> {
  const own =
    (await listObjects(cluster, 'SecretBackend', undefined)) ??
    (await listObjects(cluster, 'SecretBackend', cluster.namespace));
  const shared = await listObjects(cluster, 'ClusterSecretBackend', undefined);
  return { objects: [...(own ?? []), ...(shared ?? [])], shared };
}

/** Each backend is Ready, and exactly one is the default. */
export async function checkBackends(examined: Examined): Promise<readonly Finding[]> {
  const { objects, shared } = await listedBackends(examined);
  const unready = objects.flatMap((object) => problemOf(object) ?? []);
  const isFine = unready.length === 0 && objects.length > 0;
  return [
    ...unready,
    ...(isFine
      ? [ok(objects.length === 1 ? 'The one backend is Ready.' : `All ${objects.length} backends are Ready.`)]
      : []),
    ...(objects.length === 0
      ? [
          {
            level: 'warning' as const,
            check: CHECK,
            found: 'There is no backend.',
            fix: 'keyferry backend create --help',
          },
        ]
      : []),
    ...(shared === undefined ? [] : [defaultFinding(shared)]),
  ];
}

function problemOf(object: KubeObject): Finding | undefined {
  const { name, namespace = '' } = object.metadata;
  const backend = toBackend(object);
  const kind = object.kind === 'ClusterSecretBackend' ? object.kind : 'SecretBackend';
  const title = titleOf({ kind, name, namespace });
  const fix = `keyferry backend test ${name} ${kind === 'SecretBackend' ? `-n ${namespace}` : '--cluster'}`;
  if (backend === undefined)
    return {
      level: 'warning',
      check: CHECK,
      found: `This program cannot read ${title}.`,
      fix: 'keyferry --version',
    };
  if (isReady(backend)) return undefined;
  return { level: 'problem', check: CHECK, found: `${title} is not Ready: ${whyOf(backend)}`, fix };
}

function whyOf({ metadata, status }: Backend): string {
  const ready = readyOf(status);
  if (ready === undefined || ready.observedGeneration !== metadata.generation)
    return 'the operator has not probed it yet.';
  return printable(`${ready.reason}: ${ready.message}`);
}

function defaultFinding(shared: readonly KubeObject[]): Finding {
  const backends = shared.flatMap((object) => {
    const backend = toBackend(object);
    return backend?.kind === 'ClusterSecretBackend' ? [backend] : [];
  });
  const asking = backends.filter(asksToBeDefault);
  const current = defaultOf(backends);
  if (current === undefined)
    return {
      level: 'warning',
      check: CHECK,
      found: 'No ClusterSecretBackend is the default: each migration must name both of its backends.',
      fix: 'keyferry backend set-default kubernetes',
    };
  const { name } = current.metadata;
  if (asking.length === 1)
    return ok(`${titleOf({ kind: current.kind, name, namespace: '' })} is the default.`);
  const others = asking.filter((each) => each !== current).map(({ metadata }) => metadata.name);
  return {
    level: 'problem',
    check: CHECK,
    found: `Several backends ask to be the default. ClusterSecretBackend ${name} is it, because it is the oldest; not ${others.join(', ')}.`,
    fix: `keyferry backend set-default ${name}`,
  };
}

function ok(found: string): Finding {
  return { level: 'ok', check: CHECK, found };
}

/** `SecretBackend shop/bao` and so on, to look one up. */
export function titlesOf({ objects }: ListedBackends): ReadonlySet<string> {
  return new Set(
    objects.flatMap((object) => {
      const backend = toBackend(object);
      if (backend === undefined) return [];
      return [
        titleOf({ kind: backend.kind, name: backend.metadata.name, namespace: namespaceOf(backend) ?? '' }),
      ];
    }),
  );
}
