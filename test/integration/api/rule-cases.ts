/** What the apiserver must accept and refuse because of each CEL rule in crds/. */

export type Json = Readonly<Record<string, unknown>>;

export interface RuleCase {
  readonly kind: 'SecretBackend' | 'ClusterSecretBackend' | 'SecretMigration';
  /** Path of the rule in the schema. */
  readonly at: string;
  readonly message: string;
  /** Specs that satisfy the rule. With `from`: what the spec may become. */
  readonly accepts: Readonly<Record<string, Json>>;
  /** Specs that break this rule and no other. */
  readonly refuses: Readonly<Record<string, Json>>;
  /** The spec before the update, for a rule over `oldSelf`. */
  readonly from?: Json;
}

const SECRET_REF = { secretRef: { name: 'bao-token' } };
export const WITHOUT_AUDIENCES = { role: 'payments', serviceAccountRef: { name: 'payments' } };
const KUBERNETES_AUTH = { ...WITHOUT_AUDIENCES, audiences: ['keyferry.io/openbao'] };
const APP_ROLE_AUTH = { roleId: 'd2b5', secretIdRef: { name: 'secret-id' } };

export function openbao(change: Json): Json {
  const base = { address: 'https://bao.example:8200', auth: { token: SECRET_REF } };
  return { type: 'openbao', openbao: { ...base, ...change } };
}

export const KUBERNETES: Json = { type: 'kubernetes', kubernetes: {} };

export function migration(change: Json): Json {
  return {
    source: { backendRef: { name: 'kubernetes' } },
    destination: { backendRef: { name: 'bao' } },
    select: { all: true },
    ...change,
  };
}

const PEM = '-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n';
const TEAM = { matchLabels: { team: 'payments' } };
const SAME = { backendRef: { name: 'kubernetes' } };

function scoped(scope: string, scopes?: Json): Json {
  return { prefixes: [{ from: 'BEARER_', scope }], ...(scopes === undefined ? {} : { scopes }) };
}

export const FALLBACK = {
  backendRef: { name: 'kubernetes' },
  fallback: { prefix: 'old-', untilTime: '2030-01-01T00:00:00Z' },
};
function fallback(prefix: string): Json {
  return migration({ source: { ...FALLBACK, fallback: { ...FALLBACK.fallback, prefix } } });
}
function override(path: string): Json {
  return migration({ mapping: { overrides: [{ name: 'a', path }] } });
}
const OTHER = { backendRef: { name: 'other' } };
const ANOTHER_SERVER = 'is immutable: for another server, delete the backend and create it again';
const EXACTLY_ONE_SELECTION = 'set exactly one of names, labelSelector, prefix and all';
const PATH_SEGMENTS = 'path must not start or end with a slash, or contain an empty, "." or ".." segment';

export function reserving(...reservedPrefixes: readonly Json[]): Json {
  return { ...KUBERNETES, reservedPrefixes };
}

const ADDRESS =
  'must be https://host:port without path, query or credentials: remove /v1 or /ui; folders belong into mount and pathPrefix';
const PATH =
  'must be segments of letters, digits, "_", "-" and ".", joined by single slashes: remove any other slash, also at the start and end';

/** The rule of a field that is a path. */
function pathCase(at: string, specWith: (path: string) => Json): RuleCase {
  const examples = (...paths: readonly string[]) =>
    Object.fromEntries(paths.map((path) => [path, specWith(path)]));
  return {
    kind: 'SecretBackend',
    at,
    message: PATH,
    accepts: examples('team', 'team_1/a-b.c'),
    refuses: examples('/secret/', '/secret', 'secret/', 'a//b', 'a/../b', 'a b'),
  };
}

function authCase(method: string, auth: Json): RuleCase {
  return pathCase(`spec.openbao.auth.${method}.mountPath`, (mountPath) =>
    openbao({ auth: { [method]: { ...auth, mountPath } } }),
  );
}

/** The rule of a pattern: `from` or `to` of an entry in `patterns` or `keys`. */
function patternCase(table: string, end: string): RuleCase {
  const example = (text: string): readonly [string, Json] => {
    const entry = { from: '{a}:{b}', to: '{b}:{a}', [end]: text };
    return [text, migration({ mapping: { [table]: [entry] } })];
  };
  return {
    kind: 'SecretMigration',
    at: `spec.mapping.${table}.[].${end}`,
    message:
      'a name could be split in more than one way: put a separator such as ":" between two placeholders, not only letters and digits',
    accepts: Object.fromEntries(['{a}:{b}', '{a}-v1-{b}', 'x{a}y', '{a}x:{b}', 'x'].map(example)),
    refuses: Object.fromEntries(['{a}x{b}', '{a}{b}', 'n:{a}-{b}2{c}'].map(example)),
  };
}

const PATH_CASES: readonly RuleCase[] = [
  authCase('kubernetes', KUBERNETES_AUTH),
  authCase('appRole', APP_ROLE_AUTH),
  authCase('jwt', KUBERNETES_AUTH),
  authCase('cert', SECRET_REF),
  pathCase('spec.directory.path', (path) => ({
    type: 'directory',
    directory: { path, trailingNewline: 'Keep' },
  })),
];

/** The rules of both kinds of backend. */
const BACKEND_CASES: readonly RuleCase[] = [
  ...PATH_CASES,
  {
    kind: 'SecretBackend',
    at: 'spec.openbao.address',
    message: ADDRESS,
    accepts: Object.fromEntries(
      ['https://bao.example', 'https://bao.example:8200/', 'http://127.0.0.1:1', 'https://[::1]:8200'].map(
        (address) => [address, openbao({ address })],
      ),
    ),
    refuses: Object.fromEntries(
      [
        'https://bao.example:8200/v1',
        'https://bao.example/ui/',
        'bao.example:8200',
        'https://user:pass@bao.example',
        'https://bao.example?a=b',
        'unix:///run/bao',
      ].map((address) => [address, openbao({ address })]),
    ),
  },
  {
    kind: 'SecretBackend',
    at: 'spec',
    message: 'set exactly the field that type names: kubernetes, openbao or directory',
    accepts: {
      'kubernetes with its field': KUBERNETES,
      'openbao with its field': openbao({}),
      'directory with its field': { type: 'directory', directory: { trailingNewline: 'Keep' } },
    },
    refuses: {
      'kubernetes without a field': { type: 'kubernetes' },
      'openbao without a field': { type: 'openbao' },
      'the field of the other type': { type: 'openbao', kubernetes: {} },
      'both fields': { ...openbao({}), kubernetes: {} },
      'directory without a field': { type: 'directory' },
    },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.type',
    message: 'type is immutable: create a new backend',
    from: KUBERNETES,
    accepts: { 'the same type': KUBERNETES },
    refuses: { 'another type': openbao({}) },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.openbao.caBundle',
    message:
      'must be PEM with at least one certificate, as it is: base64 of it, as in the caBundle of a webhook, is refused',
    accepts: { PEM: openbao({ caBundle: PEM }) },
    refuses: { 'base64 of PEM': openbao({ caBundle: Buffer.from(PEM).toString('base64') }) },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.openbao',
    message: 'set at most one of caBundle and caSecretRef',
    accepts: {
      neither: openbao({}),
      caBundle: openbao({ caBundle: PEM }),
      caSecretRef: openbao({ caSecretRef: { name: 'ca' } }),
    },
    refuses: { both: openbao({ caBundle: PEM, caSecretRef: { name: 'ca' } }) },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.openbao.auth',
    message: 'set exactly one of token, kubernetes, appRole, jwt and cert',
    accepts: {
      token: openbao({ auth: { token: SECRET_REF } }),
      kubernetes: openbao({ auth: { kubernetes: KUBERNETES_AUTH } }),
      appRole: openbao({ auth: { appRole: APP_ROLE_AUTH } }),
      jwt: openbao({ auth: { jwt: KUBERNETES_AUTH } }),
      cert: openbao({ auth: { cert: SECRET_REF } }),
    },
    refuses: {
      neither: openbao({ auth: {} }),
      both: openbao({ auth: { token: SECRET_REF, kubernetes: KUBERNETES_AUTH } }),
      'two others': openbao({ auth: { appRole: APP_ROLE_AUTH, cert: SECRET_REF } }),
    },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.openbao',
    message: 'allowUnsafeWrites is for kvVersion 1; version 2 checks every write',
    accepts: {
      'version 1 with it': openbao({ kvVersion: 1, allowUnsafeWrites: true }),
      'version 1 without it': openbao({ kvVersion: 1 }),
      'version 2 without it': openbao({ kvVersion: 2, allowUnsafeWrites: false }),
    },
    refuses: {
      'version 2 with it': openbao({ kvVersion: 2, allowUnsafeWrites: true }),
      'no version with it': openbao({ allowUnsafeWrites: true }),
    },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.openbao.auth.jwt',
    message: 'set exactly one of serviceAccountRef and secretRef',
    accepts: {
      serviceAccountRef: openbao({ auth: { jwt: KUBERNETES_AUTH } }),
      secretRef: openbao({ auth: { jwt: { role: 'payments', ...SECRET_REF } } }),
    },
    refuses: {
      neither: openbao({ auth: { jwt: { role: 'payments' } } }),
      both: openbao({ auth: { jwt: { ...KUBERNETES_AUTH, ...SECRET_REF } } }),
    },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.openbao.auth.jwt',
    message: 'audiences requires serviceAccountRef; a stored JWT has its own audiences',
    accepts: { serviceAccountRef: openbao({ auth: { jwt: KUBERNETES_AUTH } }) },
    refuses: {
      secretRef: openbao({ auth: { jwt: { role: 'payments', audiences: ['bao'], ...SECRET_REF } } }),
    },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.openbao.auth.jwt',
    message: 'serviceAccountRef requires audiences: set those that the role of the server names',
    accepts: { 'with audiences': openbao({ auth: { jwt: KUBERNETES_AUTH } }) },
    refuses: { 'without audiences': openbao({ auth: { jwt: WITHOUT_AUDIENCES } }) },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.openbao.address',
    message: `address ${ANOTHER_SERVER}`,
    from: openbao({}),
    accepts: { 'another timeout': openbao({ requestTimeoutSeconds: 10 }) },
    refuses: {
      'another host': openbao({ address: 'https://other.example:8200' }),
      'another port': openbao({ address: 'https://bao.example:8201' }),
      'another scheme': openbao({ address: 'http://bao.example:8200' }),
    },
  },
  {
    kind: 'SecretBackend',
    at: 'spec.openbao',
    message: `tlsServerName ${ANOTHER_SERVER}`,
    from: openbao({ tlsServerName: 'bao.example' }),
    accepts: { 'other authorities': openbao({ tlsServerName: 'bao.example', caBundle: PEM }) },
    refuses: { 'another name': openbao({ tlsServerName: 'other.example' }), none: openbao({}) },
  },
];

const MIGRATION_CASES: readonly RuleCase[] = [
  {
    kind: 'SecretMigration',
    at: 'spec',
    message:
      'source and destination are the same backend: set the new names in mapping.prefixes, mapping.patterns or mapping.overrides',
    accepts: {
      'two backends': migration({}),
      'one backend and prefixes': migration({
        destination: SAME,
        mapping: { prefixes: [{ from: 'a', to: 'b' }] },
      }),
      'one backend and patterns': migration({
        destination: SAME,
        mapping: { patterns: [{ from: 'a', to: 'b' }] },
      }),
      'one backend and overrides': migration({
        destination: SAME,
        mapping: { overrides: [{ name: 'a', path: 'b' }] },
      }),
    },
    refuses: { 'one backend without new names': migration({ destination: SAME }) },
  },
  {
    kind: 'SecretMigration',
    at: 'spec',
    message: 'source.fallback requires sourcePolicy Keep: a document at an old path is never removed',
    accepts: { 'a fallback that keeps': migration({ source: FALLBACK }) },
    refuses: { 'a fallback that deletes': migration({ source: FALLBACK, sourcePolicy: 'Delete' }) },
  },
  {
    kind: 'SecretMigration',
    at: 'spec',
    message:
      'mode Sync requires sourcePolicy Keep or Project: a source that is removed cannot be kept in step',
    accepts: {
      'a sync that keeps': migration({ mode: 'Sync' }),
      'a sync that projects': migration({ mode: 'Sync', sourcePolicy: 'Project' }),
      'a single run that deletes': migration({ sourcePolicy: 'Delete' }),
    },
    refuses: {
      'a sync that deletes': migration({ mode: 'Sync', sourcePolicy: 'Delete' }),
      'a sync that makes backups': migration({ mode: 'Sync', sourcePolicy: 'Backup' }),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec',
    message: 'undo requires mode Once and no dryRun: set mode to Once and dryRun to false',
    accepts: {
      'an undo': migration({ undo: true, sourcePolicy: 'Delete' }),
      'no undo of a sync': migration({ undo: false, mode: 'Sync' }),
      'no undo of a dry run': migration({ undo: false, dryRun: true }),
    },
    refuses: {
      'an undo of a sync': migration({ undo: true, mode: 'Sync' }),
      'an undo that is only shown': migration({ undo: true, dryRun: true }),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec',
    message:
      'approval.required needs mode Once: approve the first copy in mode Once; then set mode Sync and approval.required false in one change, for which a user needs the verb approve',
    accepts: {
      'a single run that waits for approval': migration({ approval: { required: true } }),
      'a sync without approval': migration({ mode: 'Sync', approval: { required: false } }),
      'a sync with an empty approval': migration({ mode: 'Sync', approval: {} }),
    },
    refuses: { 'a sync that waits for approval': migration({ mode: 'Sync', approval: { required: true } }) },
  },
  {
    kind: 'SecretMigration',
    at: 'spec',
    message:
      'sourcePolicy Project requires sync.authority Destination: the destination owns a projected value',
    accepts: {
      'a projection whose owner leads': migration({
        mode: 'Sync',
        sourcePolicy: 'Project',
        sync: { authority: 'Destination' },
      }),
      'a projection in mode Once': migration({ sourcePolicy: 'Project', sync: { authority: 'Source' } }),
    },
    refuses: {
      'a projection that leads': migration({
        mode: 'Sync',
        sourcePolicy: 'Project',
        sync: { authority: 'Source' },
      }),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec.mapping',
    message: 'a scope requires mapping.scopes and must not contain mapping.scopes.separator',
    accepts: {
      'a scope without the separator': migration({ mapping: scoped('workloads', { separator: '_' }) }),
    },
    refuses: {
      'a scope with the separator in it': migration({ mapping: scoped('work_loads', { separator: '_' }) }),
      'a scope without scopes': migration({ mapping: scoped('workloads') }),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec.mapping.prefixes.[]',
    message: 'set exactly one of to and scope',
    accepts: { to: migration({ mapping: { prefixes: [{ from: 'a', to: 'b' }] } }) },
    refuses: {
      neither: migration({ mapping: { prefixes: [{ from: 'a' }] } }),
      both: migration({
        mapping: { scopes: { separator: '_' }, prefixes: [{ from: 'a', to: 'b', scope: 'c' }] },
      }),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec.source',
    message: 'source is immutable: create a new SecretMigration',
    from: migration({}),
    accepts: { 'the same source': migration({}) },
    refuses: { 'another source': migration({ source: OTHER }) },
  },
  {
    kind: 'SecretMigration',
    at: 'spec.destination',
    message: 'destination is immutable: create a new SecretMigration',
    from: migration({}),
    accepts: {
      'the same destination and everything else changed': migration({
        select: { prefix: 'a' },
        mapping: { path: 'x/{name}' },
        sourcePolicy: 'Delete',
        soakSeconds: 60,
        dryRun: true,
        suspend: true,
      }),
    },
    refuses: { 'another destination': migration({ destination: OTHER }) },
  },
  {
    kind: 'SecretMigration',
    at: 'spec.select',
    message: EXACTLY_ONE_SELECTION,
    accepts: {
      names: migration({ select: { names: ['a', 'b'] } }),
      labelSelector: migration({ select: { labelSelector: TEAM } }),
      prefix: migration({ select: { prefix: 'payments-' } }),
      'all with exceptions': migration({ select: { all: true, exclude: { prefixes: ['ci-'] } } }),
    },
    refuses: {
      nothing: migration({ select: {} }),
      'exceptions alone': migration({ select: { exclude: { names: ['a'] } } }),
      'two of them': migration({ select: { names: ['a'], all: true } }),
      'all four': migration({ select: { names: ['a'], labelSelector: TEAM, prefix: 'a', all: true } }),
    },
  },
  {
    kind: 'SecretMigration',
    at: 'spec.source.fallback.prefix',
    message: 'prefix must not start with a slash, or contain an empty, "." or ".." segment',
    accepts: Object.fromEntries(
      ['', 'OLD_', '{namespace}/', 'a.b/..c', '.'].map((prefix) => [prefix, fallback(prefix)]),
    ),
    refuses: Object.fromEntries(
      ['../x', '../', '/old_', 'a//b', 'a/./b', 'a/../b'].map((prefix) => [prefix, fallback(prefix)]),
    ),
  },
  {
    kind: 'SecretMigration',
    at: 'spec.mapping.overrides.[].path',
    message: PATH_SEGMENTS,
    accepts: Object.fromEntries(['x', 'a/b', '..a/b.'].map((path) => [path, override(path)])),
    refuses: Object.fromEntries(['../x', 'a/', '/a', 'a//b', '..'].map((path) => [path, override(path)])),
  },
  ...['patterns', 'keys'].flatMap((table) => ['from', 'to'].map((end) => patternCase(table, end))),
  {
    kind: 'SecretMigration',
    at: 'spec.mapping.path',
    message:
      'path must have exactly one {name}; other parts are {namespace} and {label:x}, between printable characters except "\\", "%", "?", "#", "{" and "}"',
    accepts: {
      'all parts': migration({ mapping: { path: '{namespace}/{label:team}/x-{name}.y' } }),
    },
    refuses: {
      'a typo in a part': migration({ mapping: { path: '{namespace}/{nmae}' } }),
      'an unknown part': migration({ mapping: { path: '{cluster}/{name}' } }),
      'no name': migration({ mapping: { path: '{namespace}' } }),
      'two names': migration({ mapping: { path: '{name}/{name}' } }),
    },
  },
  ...(['source', 'destination'] as const).map((end): RuleCase => ({
    kind: 'SecretMigration',
    at: `spec.${end}.backendRef.namespace`,
    message:
      'backendRef has no namespace: a SecretBackend is in the namespace of its SecretMigration. Remove the field, or use a ClusterSecretBackend, which other namespaces can share',
    accepts: { 'without it': migration({}) },
    refuses: {
      'a namespace': migration({ [end]: { backendRef: { name: `other-${end}`, namespace: 'vault' } } }),
    },
  })),
  {
    kind: 'SecretMigration',
    at: 'spec.mapping.path',
    message: PATH_SEGMENTS,
    accepts: Object.fromEntries(
      [
        '{name}',
        '{namespace}/{name}',
        'a/{label:app.kubernetes.io/name}/x-{name}.v1',
        'a.b/..c/{name}..',
      ].map((path) => [path, migration({ mapping: { path } })]),
    ),
    refuses: Object.fromEntries(
      ['/{name}', '{name}/', 'a//{name}', './{name}', 'a/../{name}', '{name}/.', '..//{name}'].map((path) => [
        path,
        migration({ mapping: { path } }),
      ]),
    ),
  },
];

export const RULE_CASES: readonly RuleCase[] = [
  ...BACKEND_CASES,
  ...BACKEND_CASES.map((rule) => ({ ...rule, kind: 'ClusterSecretBackend' as const })),
  ...MIGRATION_CASES,
];
