import { API_VERSION } from '#src/api/group.ts';
import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';

/** Objects as a user would write them; every builder returns plain JSON for kubectl or the API. */

export interface SecretOptions {
  readonly type?: string;
  readonly immutable?: true;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A Secret of these fields: text or bytes. */
export function aSecret(
  name: string,
  fields: Readonly<Record<string, string | Uint8Array>>,
  options: SecretOptions = {},
) {
  const data = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  );
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      ...(options.labels === undefined ? {} : { labels: options.labels }),
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
    },
    type: options.type ?? 'Opaque',
    ...(options.immutable === undefined ? {} : { immutable: options.immutable }),
    data,
  };
}

export function aKubernetesBackend(name = 'kubernetes') {
  return {
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name },
    spec: { type: 'kubernetes', kubernetes: {} },
  };
}

export interface OpenBaoBackendOptions {
  readonly name?: string;
  readonly address: string;
  readonly mount: string;
  readonly caBundle: string;
  /** Secret with the token under `token`; default `bao-token`. */
  readonly tokenSecret?: string;
  readonly pathPrefix?: string;
  readonly tlsServerName?: string;
}

export function anOpenBaoBackend({
  name = 'bao',
  tokenSecret = 'bao-token',
  ...openbao
}: OpenBaoBackendOptions) {
  return {
    apiVersion: API_VERSION,
    kind: 'SecretBackend',
    metadata: { name },
    spec: { type: 'openbao', openbao: { ...openbao, auth: { token: { secretRef: { name: tokenSecret } } } } },
  };
}

type Spec = SecretMigration['spec'];

/** Everything from `kubernetes` to `bao`, except what is said otherwise. */
export function aMigration(
  name: string,
  spec: Partial<Omit<Spec, 'source' | 'destination'>> & { from?: string; to?: string } = {},
) {
  const { from = 'kubernetes', to = 'bao', ...rest } = spec;
  return {
    apiVersion: API_VERSION,
    kind: 'SecretMigration',
    metadata: { name },
    spec: {
      source: { backendRef: { name: from } },
      destination: { backendRef: { name: to } },
      select: { all: true as const, exclude: { names: ['bao-token'] } },
      ...rest,
    },
  };
}
