import { createSecureContext } from 'node:tls';
import type { OpenBaoSpec } from './spec.ts';
import { OperatorError } from '#src/errors.ts';
import { authoritiesProblem } from '#src/io/certificates.ts';
import type { CredentialSource } from '../credentials.ts';

/** CAs and certificate for the TLS connections of a backend, as PEM. */
export interface TlsMaterial {
  /** The trusted CAs; undefined, and never an empty text, means those of the system. */
  readonly ca: string | undefined;
  /** The client certificate, sent if the server requests one; only with `auth.cert`. */
  readonly identity: { readonly certificate: string; readonly key: string } | undefined;
}

const OP = 'openbao.tls';
/** The bytes that spec.openbao.caBundle may have too: every connection parses them. */
const MAX_CA_BYTES = 65_536;

/** As `tls.connect` takes it. */
export function pemOf({ ca, identity }: TlsMaterial): { ca?: string; cert?: string; key?: string } {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
  };
}

export interface TlsContext {
  readonly credentials: CredentialSource;
  /** Namespace of the backend: every reference is in it. */
  readonly namespace: string;
  readonly signal: AbortSignal;
}

/**
 * Reads the PEM that the spec refers to. Throws `CREDENTIALS_MISSING` if it is missing, if the CAs exceed 64 KiB or are not
 * certificates, or if a certificate does not belong to its key; `SPEC_INVALID` if caBundle is not certificates.
 */
export async function readTls(openbao: OpenBaoSpec, context: TlsContext): Promise<TlsMaterial> {
  return { ca: await readAuthorities(openbao, context), identity: await readIdentity(openbao, context) };
}

async function readAuthorities(
  { caBundle, caSecretRef }: OpenBaoSpec,
  context: TlsContext,
): Promise<string | undefined> {
  if (caSecretRef === undefined) return checkedBundle(caBundle);
  const { key, name } = caSecretRef;
  const ca = await readPem(name, key, context);
  const isTooLarge = Buffer.byteLength(ca) > MAX_CA_BYTES;
  const problem = isTooLarge ? undefined : authoritiesProblem(ca);
  if (!isTooLarge && problem === undefined) return ca;
  throw new OperatorError('CREDENTIALS_MISSING', {
    op: OP,
    target: `Secret ${context.namespace}/${name}`,
    detail: isTooLarge
      ? 'The certificates in caSecretRef exceed 64 KiB.'
      : `Its key ${key}, which caSecretRef names, ${problem}.`,
    hint: 'Store only the CA certificates that verify this server, as PEM.',
  });
}

function checkedBundle(caBundle: string | undefined): string | undefined {
  const problem = caBundle === undefined ? undefined : authoritiesProblem(caBundle);
  if (problem === undefined) return caBundle;
  throw new OperatorError('SPEC_INVALID', {
    op: OP,
    target: 'spec.openbao.caBundle',
    detail: `The text ${problem}.`,
    hint: 'Set it to the CA certificates that verify this server, as PEM.',
  });
}

async function readIdentity({ auth }: OpenBaoSpec, context: TlsContext): Promise<TlsMaterial['identity']> {
  if (auth.cert === undefined) return undefined;
  const { name } = auth.cert.secretRef;
  const certificate = await readPem(name, 'tls.crt', context);
  const key = await readPem(name, 'tls.key', context);
  requirePair({ certificate, key }, `Secret ${context.namespace}/${name}`);
  return { certificate, key };
}

async function readPem(name: string, key: string, context: TlsContext): Promise<string> {
  const { credentials, namespace, signal } = context;
  return (await credentials.readSecretKey(namespace, name, key, signal)).reveal().toString('utf8');
}

/**
 * Checks the pair before the first connection, whose error would blame the server. Drops the cause: it can quote the
 * key.
 */
function requirePair(pair: { readonly certificate: string; readonly key: string }, target: string): void {
  try {
    // An empty certificate would be none, and an empty key the key of none.
    if (pair.certificate === '' || pair.key === '') throw new Error('empty');
    createSecureContext({ cert: pair.certificate, key: pair.key });
  } catch {
    throw new OperatorError('CREDENTIALS_MISSING', {
      op: OP,
      target,
      detail: 'tls.crt and tls.key are not a certificate and its unencrypted private key.',
      hint: 'Store a matching pair in the Secret, as PEM.',
    });
  }
}
