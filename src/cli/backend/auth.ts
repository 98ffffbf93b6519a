import { Problem } from '../problem.ts';
import { isSet, textOf, textsOf, type TypedFlags } from '../typed-flags.ts';

/*
 * How a new backend logs in, and the Secret that it needs for that.
 */

export const AUTH_METHODS = ['token', 'kubernetes', 'approle', 'jwt', 'cert'] as const;
type AuthMethod = (typeof AUTH_METHODS)[number];

/** The Secret with the credentials of a backend, without them. */
export interface Credentials {
  readonly name: string;
  readonly type: 'Opaque' | 'kubernetes.io/tls';
  /** Key of the secret that is read from standard input. */
  readonly key: 'token' | 'secret-id' | 'tls.key';
  /** In words: `the token`. */
  readonly what: string;
  readonly flag: '--token-stdin' | '--secret-id-stdin' | '--key-stdin';
  readonly isPiped: boolean;
  /** A file with a certificate, which is not secret, under `tls.crt`. */
  readonly certFile?: string | undefined;
}

export interface Login {
  /** `spec.openbao.auth`. */
  readonly auth: Readonly<Record<string, unknown>>;
  /** Absent if the login needs no Secret, or one that exists. */
  readonly credentials: Credentials | undefined;
}

/** What the flags say, with which each way to log in is made. */
interface Asked {
  readonly name: string;
  readonly flags: TypedFlags;
  readonly mountPath: { readonly mountPath?: string };
  /** The Secret with the credentials: one that exists, or the one that is created. */
  readonly secretRef: { readonly name: string };
}

/** `held`: what the Secret holds, if one is created. */
interface Way {
  readonly auth: Login['auth'];
  readonly held?: Omit<Credentials, 'name'>;
}

const WAYS: Readonly<Record<AuthMethod, (asked: Asked) => Way>> = {
  token: ({ flags, secretRef }) => ({ auth: { token: { secretRef } }, held: tokenIn(flags) }),
  approle: ({ flags, mountPath, secretRef }) => ({
    auth: {
      appRole: { ...mountPath, roleId: needed(flags, 'roleId', '--role-id'), secretIdRef: secretRef },
    },
    held: {
      type: 'Opaque',
      key: 'secret-id',
      what: 'the secret id',
      flag: '--secret-id-stdin',
      isPiped: isSet(flags, 'secretIdStdin'),
    },
  }),
  kubernetes: ({ name, flags, mountPath }) => ({
    auth: { kubernetes: { ...mountPath, ...serviceAccountIn(name, flags) } },
  }),
  jwt: ({ name, flags, mountPath, secretRef }) =>
    textOf(flags, 'serviceAccount') === undefined
      ? {
          auth: { jwt: { ...mountPath, role: needed(flags, 'role', '--role'), secretRef } },
          held: tokenIn(flags),
        }
      : { auth: { jwt: { ...mountPath, ...serviceAccountIn(name, flags) } } },
  cert: ({ flags, mountPath, secretRef }) => {
    const role = textOf(flags, 'role');
    const auth = { cert: { ...mountPath, ...(role === undefined ? {} : { name: role }), secretRef } };
    return textOf(flags, 'secret') === undefined ? { auth, held: keyIn(flags) } : { auth };
  },
};

/** How the flags say that backend `name` logs in. Throws `Problem` for a missing or wrong flag. */
export function loginIn(name: string, flags: TypedFlags): Login {
  const existing = textOf(flags, 'secret');
  const mount = textOf(flags, 'authMount');
  const secretRef = { name: existing ?? `${name}-credentials` };
  const mountPath = mount === undefined ? {} : { mountPath: mount };
  const { auth, held } = WAYS[methodIn(textOf(flags, 'auth'))]({ name, flags, mountPath, secretRef });
  const isCreated = held !== undefined && existing === undefined;
  return { auth, credentials: isCreated ? { name: secretRef.name, ...held } : undefined };
}

function methodIn(text: string | undefined): AuthMethod {
  const method = AUTH_METHODS.find((each) => each === text);
  if (method !== undefined) return method;
  throw new Problem(`--auth is missing. Say how the backend logs in: --auth ${AUTH_METHODS.join('|')}.`);
}

function tokenIn(flags: TypedFlags): Omit<Credentials, 'name'> {
  const isPiped = isSet(flags, 'tokenStdin');
  return { type: 'Opaque', key: 'token', what: 'the token', flag: '--token-stdin', isPiped };
}

function keyIn(flags: TypedFlags): Omit<Credentials, 'name'> {
  return {
    type: 'kubernetes.io/tls',
    key: 'tls.key',
    what: 'the private key',
    flag: '--key-stdin',
    isPiped: isSet(flags, 'keyStdin'),
    certFile: needed(flags, 'certFile', '--cert-file'),
  };
}

/** The prefix is that of --audience-prefix of the operator, unless an administrator set another one. */
function serviceAccountIn(name: string, flags: TypedFlags): object {
  const audiences = textsOf(flags, 'audience');
  return {
    role: needed(flags, 'role', '--role'),
    serviceAccountRef: { name: needed(flags, 'serviceAccount', '--service-account') },
    audiences: audiences.length === 0 ? [`keyferry.io/${name}`] : audiences,
  };
}

function needed(flags: TypedFlags, name: string, flag: string): string {
  const text = textOf(flags, name);
  if (text !== undefined) return text;
  throw new Problem(`${flag} is missing, which --auth ${textOf(flags, 'auth') ?? ''} needs.`);
}
