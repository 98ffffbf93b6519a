import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import type { CredentialSource, CredentialUse, IssuedToken } from '#src/backends/credentials.ts';
import { SecretValue } from '#src/core/secret-value.ts';
import { OperatorError } from '#src/errors.ts';
import type { Invocation } from '../invocation.ts';
import { Problem } from '../problem.ts';

type Env = Invocation['env'];
type OpenBao = NonNullable<Backend['spec']['openbao']>;

/** Where one credential is: never the credential itself, which every user of the machine could read in the list of processes. */
export type Place =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'env'; readonly name: string };

/** The places that `--credential` names, by backend and key: `bao/token`. */
export type Places = ReadonlyMap<string, Place>;

const FORM = 'BACKEND=file:PATH, BACKEND=env:NAME or BACKEND/KEY=file:PATH';

/** `bao=file:PATH`, `bao=env:NAME`, `bao/ca.crt=file:PATH`. Throws `Problem`; its message does not quote what stands after the `=`. */
export function placesIn(flags: readonly string[]): Places {
  const places = new Map<string, Place>();
  for (const flag of flags) {
    const { groups } = /^(?<of>[^=]+)=(?<kind>file|env):(?<at>.+)$/s.exec(flag) ?? {};
    const { at, kind, of } = groups ?? {};
    if (of === undefined || at === undefined)
      throw new Problem(
        `--credential must be ${FORM}. A credential itself is refused: other users of the machine can read the arguments of a program.`,
      );
    places.set(of, kind === 'file' ? { kind, path: at } : { kind: 'env', name: at });
  }
  return places;
}

/** What a backend reads, in the words of its spec. */
interface Needed {
  readonly secret: string;
  readonly key: string;
  /** The login has one credential: its key need not be named. */
  readonly isOnly: boolean;
}

/** The credentials of the backend; empty for one that needs none from a file. */
function neededBy({ auth, caSecretRef }: OpenBao): readonly Needed[] {
  const ref = auth.token?.secretRef ?? auth.appRole?.secretIdRef ?? auth.jwt?.secretRef;
  const pair = auth.cert === undefined ? [] : ['tls.crt', 'tls.key'];
  return [
    ...(ref === undefined ? [] : [{ secret: ref.name, key: ref.key, isOnly: true }]),
    ...pair.map((key) => ({ secret: auth.cert?.secretRef.name ?? '', key, isOnly: false })),
    ...(caSecretRef === undefined ? [] : [{ secret: caSecretRef.name, key: caSecretRef.key, isOnly: false }]),
  ];
}

/** True if the login of the backend needs a token of a ServiceAccount: only a cluster issues one. */
export function needsServiceAccount({ spec }: Backend): boolean {
  const { kubernetes, jwt } = spec.openbao?.auth ?? {};
  return kubernetes !== undefined || jwt?.serviceAccountRef !== undefined;
}

/** A credential of a backend, and where it is. */
interface Found extends Needed {
  readonly place: Place;
}

/**
 * Where each credential of these backends is. Throws `Problem` for one that no flag names, for a place without one, and for
 * a flag that no backend uses.
 */
export async function findCredentials(
  backends: readonly Backend[],
  places: Places,
  env: Env,
): Promise<ReadonlyMap<string, readonly Found[]>> {
  const unused = new Set(places.keys());
  const found = new Map<string, readonly Found[]>();
  for (const { kind, metadata, spec } of backends) {
    if (spec.openbao === undefined) continue;
    const all: Found[] = [];
    for (const needed of neededBy(spec.openbao)) {
      const names = [`${metadata.name}/${needed.key}`, ...(needed.isOnly ? [metadata.name] : [])];
      const given = names.find((name) => places.has(name));
      if (given !== undefined) unused.delete(given);
      const place = given === undefined ? await usualPlace(spec.openbao, needed, env) : places.get(given);
      if (place === undefined) throw notNamed(metadata.name, needed, spec.openbao);
      await requireReadable(place, metadata.name, env);
      all.push({ ...needed, place });
    }
    found.set(`${kind}/${metadata.name}`, all);
  }
  const [name] = unused;
  if (name === undefined) return found;
  throw new Problem(
    `--credential ${name}: no backend of the migration reads this. Name a backend of the file, and a key that its spec refers to.`,
  );
}

/**
 * Where `bao` and `vault` keep a token. It is for one server: no file of another author may send it elsewhere, so the address
 * of the backend must be that of BAO_ADDR or VAULT_ADDR.
 */
async function usualPlace(
  { address, auth }: OpenBao,
  { isOnly }: Needed,
  env: Env,
): Promise<Place | undefined> {
  if (auth.token === undefined || !isOnly || !isServerOf(address, env)) return undefined;
  const name = ['BAO_TOKEN', 'VAULT_TOKEN'].find((each) => env[each]);
  if (name !== undefined) return { kind: 'env', name };
  const path = join(env['HOME'] || homedir(), '.vault-token');
  return (await readable(path)) ? { kind: 'file', path } : undefined;
}

function isServerOf(address: string, env: Env): boolean {
  const own = env['BAO_ADDR'] || env['VAULT_ADDR'] || '';
  return URL.canParse(own) && URL.canParse(address) && new URL(own).origin === new URL(address).origin;
}

function notNamed(backend: string, { isOnly, key }: Needed, { address, auth }: OpenBao): Problem {
  const name = isOnly ? backend : `${backend}/${key}`;
  const usual =
    auth.token === undefined || !isOnly
      ? ''
      : ` BAO_TOKEN and ~/.vault-token are used only if BAO_ADDR is ${new URL(address).origin}.`;
  return new Problem(
    `The SecretBackend ${backend} needs the credential ${key}. Say where it is: --credential ${name}=file:PATH or --credential ${name}=env:NAME.${usual}`,
  );
}

async function requireReadable(place: Place, backend: string, env: Env): Promise<void> {
  if (place.kind === 'env') {
    if (env[place.name]) return;
    throw new Problem(
      `The variable ${place.name} with a credential of ${backend} is not set. Set it, or name another place with --credential.`,
    );
  }
  if (await readable(place.path)) return;
  throw new Problem(
    `The file ${place.path} with a credential of ${backend} cannot be read. Check its path and its permissions.`,
  );
}

async function readable(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}

export interface LocalCredentialsOptions {
  readonly found: ReadonlyMap<string, readonly Found[]>;
  readonly env: Env;
  /** For tokens of ServiceAccounts; undefined without a cluster. */
  readonly cluster: CredentialSource | undefined;
}

/** Credentials from files and variables. They are read again at each login, so that a file that was renewed is used. */
export function localCredentialsFor(
  { backend }: Pick<CredentialUse, 'backend'>,
  { cluster, env, found }: LocalCredentialsOptions,
): CredentialSource {
  const all = found.get(`${backend.kind}/${backend.name}`) ?? [];
  return {
    readSecretKey: async (_namespace, secret, key) => {
      const place = all.find((each) => each.secret === secret && each.key === key)?.place;
      if (place === undefined) throw missing(backend.name, 'No place of it is known.');
      if (place.kind === 'env') return SecretValue.fromUtf8(env[place.name] ?? '');
      return SecretValue.fromBytes(
        await readFile(place.path).catch(() => {
          throw missing(backend.name, 'Its file cannot be read.');
        }),
      );
    },
    requestToken: async (...request): Promise<IssuedToken> => {
      if (cluster === undefined)
        throw missing(backend.name, 'Only a cluster issues tokens of ServiceAccounts.');
      return cluster.requestToken(...request);
    },
  };
}

function missing(target: string, detail: string): OperatorError {
  const hint = 'Name a file or a variable with --credential.';
  return new OperatorError('CREDENTIALS_MISSING', { op: 'local.credentials', target, detail, hint });
}
