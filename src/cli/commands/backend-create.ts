import { Option, type Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry } from '../declare.ts';
import { typedFlags } from '../typed-flags.ts';

/** `backend create NAME`. */
export function declareBackendCreate(backend: Command, carry: Carry): void {
  const create = backend
    .command('create')
    .argument('<new-name>', 'name of the new backend')
    .description('Create a backend and the Secret with its credentials, which are read from standard input');
  loginFlags(storeFlags(create)).addOption(
    new Option('-o, --output <format>', 'print the manifests without the secret, and create nothing').choices(
      ['yaml', 'json'],
    ),
  );
  withExamples(withGlobalFlags(create), [
    [
      'Create a backend that logs in with a token',
      'backend create openbao --type openbao --address https://openbao.openbao.svc:8200 --mount secret --ca-file ca.pem --auth token --token-stdin < token',
    ],
    [
      'Log in with a ServiceAccount, without any stored secret',
      'backend create openbao --type openbao --address https://openbao.openbao.svc:8200 --auth kubernetes --role shop --service-account keyferry',
    ],
    ['Use the Secrets of the namespace', 'backend create kubernetes --type kubernetes'],
    [
      'Print a shared backend for a repository',
      'backend create openbao --cluster --allow-namespace shop --type openbao --address https://openbao.openbao.svc:8200 --auth token -o yaml',
    ],
  ]).action(
    carry(
      async ({ createBackend }, invocation, name, options) =>
        createBackend(invocation, String(name), typedFlags(options)),
      async () => import('../backend/create.ts'),
    ),
  );
}

function storeFlags(create: Command): Command {
  return create
    .addOption(new Option('--type <type>', 'kind of store').choices(['openbao', 'kubernetes', 'directory']))
    .option('--cluster', 'a ClusterSecretBackend, which namespaces share')
    .option(
      '--allow-namespace <name>',
      'with --cluster: a namespace that may use it, or "*"; can be repeated',
      repeated,
    )
    .option('--address <url>', 'openbao: base URL of the server')
    .option('--mount <path>', 'openbao: path of the KV engine; default: secret')
    .option('--kv-version <version>', 'openbao: version of the KV engine, 1 or 2; default: 2')
    .option('--path-prefix <path>', 'openbao: folder below the mount that confines the backend')
    .option('--bao-namespace <path>', 'openbao: namespace of the server')
    .option('--tls-server-name <host>', 'openbao: name in the certificate of the server')
    .option('--ca-file <file>', 'openbao: PEM certificates that verify the server')
    .option('--path <path>', 'directory: folder below that of the namespace')
    .addOption(
      new Option('--trailing-newline <how>', 'directory: what becomes of a newline at the end of a file')
        .choices(['Keep', 'Strip'])
        .default('Keep'),
    );
}

function loginFlags(create: Command): Command {
  return create
    .addOption(
      new Option('--auth <method>', 'openbao: how to log in').choices([
        'token',
        'kubernetes',
        'approle',
        'jwt',
        'cert',
      ]),
    )
    .option('--auth-mount <path>', 'path of the auth method, without auth/')
    .option('--role <name>', 'kubernetes, jwt, cert: role to log in with')
    .option('--service-account <name>', 'kubernetes, jwt: ServiceAccount whose token is sent')
    .option(
      '--audience <audience>',
      'kubernetes, jwt: audience of that token; default: keyferry.io/<name>; can be repeated',
      repeated,
    )
    .option('--role-id <id>', 'approle: role id, which is not secret')
    .option('--token-stdin', 'token, jwt: read the token from standard input')
    .option('--secret-id-stdin', 'approle: read the secret id from standard input')
    .option('--key-stdin', 'cert: read the private key from standard input')
    .option('--cert-file <file>', 'cert: PEM certificate of the client')
    .option('--secret <name>', 'a Secret that has the credentials already, instead of standard input')
    .option(
      '--cluster-resource-namespace <name>',
      'with --cluster: namespace of its Secret',
      'keyferry-system',
    )
    .addOption(new Option('--token [value]').hideHelp())
    .addOption(new Option('--secret-id [value]').hideHelp());
}

function repeated(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
