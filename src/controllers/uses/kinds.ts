import { z } from 'zod';
import type { ApiResource } from '#src/runtime/api-lists.ts';
import { each, lenient, Reference } from '../rollout/used-secrets.ts';
import { secretsNamedBy } from './pod-secrets.ts';

/*
 * Where objects of Kubernetes and of its best-known extensions name Secrets of their namespace. The API server has checked the
 * objects; what they have that is not expected here counts as no reference.
 */

/** One kind of object that uses Secrets. */
export interface UsingKind {
  readonly resource: ApiResource;
  /** Annotations of its objects that `secretsOf` reads. */
  readonly annotations?: readonly string[];
  /** Names of the Secrets that an object uses. `ALL`: every one of the namespace. */
  readonly secretsOf: (object: UsingObject) => Iterable<string | typeof ALL>;
}

/** An object of a list: any JSON. */
export interface UsingObject {
  readonly metadata: {
    readonly namespace?: string | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  };
}

/** Stands for every Secret of a namespace. */
export const ALL = Symbol('all Secrets');

function resource(group: string, version: string, kind: string): ApiResource {
  const lower = kind.toLowerCase();
  const plural = lower.endsWith('s') ? `${lower}es` : `${lower}s`;
  return { group, version, plural, kind, namespaced: true };
}

const Template = z.object({ template: z.object({ spec: z.unknown() }) });
const WithTemplate = z.object({ spec: Template });
const WithJobTemplate = z.object({ spec: z.object({ jobTemplate: z.object({ spec: Template }) }) });
const Conditions = z.object({
  status: z.object({ conditions: each(z.object({ type: z.string(), status: z.string() })) }),
});
const Pod = z.object({ spec: z.unknown(), status: lenient(z.object({ phase: lenient(z.string()) })) });
const ServiceAccount = z.object({ secrets: each(Reference), imagePullSecrets: each(Reference) });
const Ingress = z.object({ spec: z.object({ tls: each(z.object({ secretName: z.string() })) }) });

/** A pod in one of these phases never runs a container again (k8s.io/api core/v1 PodPhase). */
const OVER: ReadonlySet<string> = new Set(['Succeeded', 'Failed']);

/** Annotations of ingress-nginx that name a Secret, as `name` or `namespace/name`. */
const NGINX = ['auth-secret', 'auth-tls-secret', 'proxy-ssl-secret'].map(
  (name) => `nginx.ingress.kubernetes.io/${name}`,
);

/**
 * What every cluster serves. Workloads are first, so that a message names them and not the pods that they replace again and
 * again. Not ReplicaSets: those of earlier revisions would hold a Secret that nothing runs with.
 */
export const BUILT_IN: readonly UsingKind[] = [
  { resource: resource('apps', 'v1', 'Deployment'), secretsOf: ofTemplate },
  { resource: resource('apps', 'v1', 'StatefulSet'), secretsOf: ofTemplate },
  { resource: resource('apps', 'v1', 'DaemonSet'), secretsOf: ofTemplate },
  {
    resource: resource('batch', 'v1', 'CronJob'),
    secretsOf: (object) =>
      secretsNamedBy(WithJobTemplate.safeParse(object).data?.spec.jobTemplate.spec.template.spec),
  },
  {
    resource: resource('batch', 'v1', 'Job'),
    secretsOf: (object) => (isOver(object) ? [] : ofTemplate(object)),
  },
  {
    resource: resource('networking.k8s.io', 'v1', 'Ingress'),
    annotations: NGINX,
    secretsOf: (object) => [
      ...(Ingress.safeParse(object).data?.spec.tls ?? []).flatMap((entry) => entry?.secretName ?? []),
      ...NGINX.flatMap((name) => ofAnnotation(object, name)),
    ],
  },
  {
    resource: resource('', 'v1', 'ServiceAccount'),
    secretsOf: (object) => {
      const { secrets, imagePullSecrets } = ServiceAccount.safeParse(object).data ?? {};
      return [...(secrets ?? []), ...(imagePullSecrets ?? [])].flatMap((reference) => reference?.name ?? []);
    },
  },
  {
    resource: resource('', 'v1', 'Pod'),
    secretsOf: (object) => {
      const { spec, status } = Pod.safeParse(object).data ?? {};
      return OVER.has(status?.phase ?? '') ? [] : secretsNamedBy(spec);
    },
  },
];

function ofTemplate(object: unknown): Iterable<string> {
  return secretsNamedBy(WithTemplate.safeParse(object).data?.spec.template.spec);
}

/** A Job that is complete or failed starts no pod again. */
function isOver(object: unknown): boolean {
  const { conditions } = Conditions.safeParse(object).data?.status ?? {};
  return (conditions ?? []).some(
    (each) => (each?.type === 'Complete' || each?.type === 'Failed') && each.status === 'True',
  );
}

/** The Secret that an annotation names, if it is in the namespace of the object. */
function ofAnnotation({ metadata }: UsingObject, annotation: string): readonly string[] {
  const parts = metadata.annotations?.[annotation]?.split('/') ?? [];
  const [name = '', ...rest] = parts.toReversed();
  const isHere = rest.length === 0 || (rest.length === 1 && rest[0] === metadata.namespace);
  return isHere && name !== '' ? [name] : [];
}

const GATEWAY = 'gateway.networking.k8s.io';

/** Defaults of SecretObjectReference (gateway-api apis/v1): group "", kind Secret, the namespace of the Gateway. */
const CertificateRef = z.object({
  group: lenient(z.string()),
  kind: lenient(z.string()),
  name: z.string(),
  namespace: lenient(z.string()),
});
const Gateway = z.object({
  spec: z.object({
    listeners: each(
      z.object({
        tls: z.object({
          certificateRefs: each(CertificateRef),
          frontendValidation: lenient(z.object({ caCertificateRefs: each(CertificateRef) })),
        }),
      }),
    ),
    backendTLS: lenient(z.object({ clientCertificateRef: CertificateRef })),
  }),
});
const ReferenceGrant = z.object({
  spec: z.object({
    to: each(z.object({ group: z.string(), kind: z.string(), name: lenient(z.string()) })),
  }),
});

/** What only some clusters serve, in the version that the server prefers. */
export const OPTIONAL: readonly UsingKind[] = [
  { resource: resource(GATEWAY, 'v1', 'Gateway'), secretsOf: ofGateway },
  {
    // Gateways of other namespaces: without a grant they cannot use a Secret here.
    resource: resource(GATEWAY, 'v1beta1', 'ReferenceGrant'),
    secretsOf: (object) =>
      (ReferenceGrant.safeParse(object).data?.spec.to ?? []).flatMap((to) =>
        to?.group === '' && to.kind === 'Secret' ? [to.name ?? ALL] : [],
      ),
  },
];

function ofGateway(object: UsingObject): readonly string[] {
  const { listeners, backendTLS } = Gateway.safeParse(object).data?.spec ?? {};
  const references = [
    ...(listeners ?? []).flatMap((listener) => [
      ...(listener?.tls.certificateRefs ?? []),
      ...(listener?.tls.frontendValidation?.caCertificateRefs ?? []),
    ]),
    backendTLS?.clientCertificateRef,
  ];
  return references.flatMap((reference) => {
    const { group, kind, name, namespace } = reference ?? {};
    const isSecret = (group ?? '') === '' && (kind ?? 'Secret') === 'Secret';
    const isHere = (namespace ?? object.metadata.namespace) === object.metadata.namespace;
    return name !== undefined && isSecret && isHere ? [name] : [];
  });
}

/** cert-manager (pkg/apis/certmanager/v1): `namespace/name` of the Secret whose CA the cainjector copies. */
const INJECTED = 'cert-manager.io/inject-ca-from-secret';

/** What cert-manager puts CAs into. Of the whole cluster; `secretsOf` has `namespace/name`. */
export const INJECTABLE: readonly UsingKind[] = [
  ['admissionregistration.k8s.io', 'ValidatingWebhookConfiguration'],
  ['admissionregistration.k8s.io', 'MutatingWebhookConfiguration'],
  ['apiregistration.k8s.io', 'APIService'],
  ['apiextensions.k8s.io', 'CustomResourceDefinition'],
].map(([group = '', kind = '']) => ({
  resource: { ...resource(group, 'v1', kind), namespaced: false },
  annotations: [INJECTED],
  secretsOf: ({ metadata }) => [metadata.annotations?.[INJECTED] ?? []].flat(),
}));
