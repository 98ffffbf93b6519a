import { selecting } from './selector-cases.ts';
import {
  WITHOUT_AUDIENCES,
  openbao,
  KUBERNETES,
  migration,
  reserving,
  type Json,
  type RuleCase,
} from './rule-cases.ts';

/** Specs that the schema refuses without CEL, and a part of the message of the apiserver. */
export const SCHEMA_REFUSALS: Readonly<Record<string, readonly [RuleCase['kind'], Json, string]>> = {
  'another type of backend': ['SecretBackend', { type: 'vault' }, 'Unsupported value'],
  'a directory without trailingNewline': [
    'SecretBackend',
    { type: 'directory', directory: { path: 'tokens' } },
    'spec.directory.trailingNewline: Required value',
  ],
  'a directory that leads to a parent folder': [
    'SecretBackend',
    { type: 'directory', directory: { path: '../tokens', trailingNewline: 'Keep' } },
    'spec.directory.path',
  ],
  'a login with a ServiceAccount and no audiences': [
    'SecretBackend',
    openbao({ auth: { kubernetes: WITHOUT_AUDIENCES } }),
    'spec.openbao.auth.kubernetes.audiences: Required value',
  ],
  'an address with credentials': [
    'SecretBackend',
    openbao({ address: 'https://user:pass@bao:8200' }),
    'spec.openbao.address',
  ],
  'an address with a path': ['SecretBackend', openbao({ address: 'https://bao/v1' }), 'spec.openbao.address'],
  'a mount with a ".." segment': ['SecretBackend', openbao({ mount: 'a/../b' }), 'spec.openbao.mount'],
  'a mount with a leading slash': ['SecretBackend', openbao({ mount: '/kv' }), 'spec.openbao.mount'],
  'a caBundle that is not PEM': ['SecretBackend', openbao({ caBundle: 'MII=' }), 'spec.openbao.caBundle'],
  'a namespace that cannot exist': [
    'ClusterSecretBackend',
    { ...KUBERNETES, allowedNamespaces: ['payments', 'a/b'] },
    'spec.allowedNamespaces[1]',
  ],
  'a kind of backend that does not exist': [
    'SecretMigration',
    migration({ source: { backendRef: { kind: 'Secret', name: 'a' } } }),
    'spec.source.backendRef.kind: Unsupported value',
  ],
  'a label selector as text': [
    'SecretMigration',
    selecting('team=payments,tier in (web, api)'),
    'spec.select.labelSelector in body must be of type object: "string"',
  ],
  'an operator of a label selector that does not exist': [
    'SecretMigration',
    selecting({ matchExpressions: [{ key: 'team', operator: 'in', values: ['a'] }] }),
    'spec.select.labelSelector.matchExpressions[0].operator: Unsupported value: "in": supported values: "In"',
  ],
  'more labels than a selector can have': [
    'SecretMigration',
    selecting({ matchLabels: Object.fromEntries(Array.from({ length: 33 }, (_, each) => [`a${each}`, ''])) }),
    'spec.select.labelSelector.matchLabels: Too many',
  ],
  'a timeout of zero': [
    'SecretBackend',
    openbao({ requestTimeoutSeconds: 0 }),
    'spec.openbao.requestTimeoutSeconds',
  ],
  'an empty reserved prefix, which would match every name': [
    'SecretBackend',
    reserving({ prefix: '' }),
    'spec.reservedPrefixes[0].prefix',
  ],
  'a reserved prefix that starts with a slash': [
    'SecretBackend',
    reserving({ prefix: '/sys' }),
    'spec.reservedPrefixes[0].prefix',
  ],
  'the same reserved prefix twice, with different namespaces': [
    'SecretBackend',
    reserving({ prefix: 'sys_' }, { prefix: 'sys_', allowNamespaces: ['platform'] }),
    'Duplicate value',
  ],
  'more concurrent requests than the maximum': [
    'SecretBackend',
    openbao({ maxInFlight: 129 }),
    'spec.openbao.maxInFlight',
  ],
  'a mode that does not exist': [
    'SecretMigration',
    migration({ mode: 'Twice' }),
    'spec.mode: Unsupported value',
  ],
  'all: false': ['SecretMigration', migration({ select: { all: false } }), 'spec.select.all'],
  'a path without {name}': [
    'SecretMigration',
    migration({ mapping: { path: 'a/{namespace}' } }),
    'spec.mapping.path',
  ],
  'a path with {name} twice': [
    'SecretMigration',
    migration({ mapping: { path: '{name}/{name}' } }),
    'spec.mapping.path',
  ],
  'a path with an unknown variable': [
    'SecretMigration',
    migration({ mapping: { path: '{key}/{name}' } }),
    'spec.mapping.path',
  ],
  'a path with an escape': [
    'SecretMigration',
    migration({ mapping: { path: '%2e%2e/{name}' } }),
    'spec.mapping.path',
  ],
  'a soak of more than 30 days': [
    'SecretMigration',
    migration({ soakSeconds: 2_592_001 }),
    'spec.soakSeconds',
  ],
  'a name that starts with a slash': [
    'SecretMigration',
    migration({ select: { names: ['/a'] } }),
    'spec.select.names[0]',
  ],
  'a name twice': ['SecretMigration', migration({ select: { names: ['a', 'a'] } }), 'Duplicate value'],
};
