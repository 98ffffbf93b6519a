import { Option, type Command } from 'commander';
import { withExamples, withGlobalFlags, type Carry, type Examples } from '../declare.ts';
import { typedFlags } from '../typed-flags.ts';
import { declareBackendCreate } from './backend-create.ts';

/** `backend list|get|describe|test|create|delete|set-default`. */
export function declareBackend(program: Command, carry: Carry): void {
  const backend = program
    .command('backend')
    .description('See, test, create and delete backends: where values are');
  withExamples(backend, [
    ['List the backends of a namespace', 'backend list -n shop'],
    ['Ask the operator whether one works', 'backend test openbao -n shop'],
  ]);
  declareReads(backend, carry);
  declareBackendCreate(backend, carry);
  declareDelete(backend, carry);
  declareSetDefault(backend, carry);
}

function declareReads(backend: Command, carry: Carry): void {
  const list = backend
    .command('list')
    .description('List the SecretBackends of a namespace, and the ClusterSecretBackends that it may use')
    .option('-A, --all-namespaces', 'those of all namespaces')
    .addOption(outputOption('wide', 'yaml', 'json', 'name'));
  complete(list, [
    ['List the backends of the namespace of the context', 'backend list'],
    ['List all, with addresses and messages', 'backend list -A -o wide'],
  ]).action(
    carry(
      async ({ listBackends }, invocation, options) => listBackends(invocation, typedFlags(options)),
      async () => import('../backend/list.ts'),
    ),
  );
  const get = ofOne(backend.command('get'))
    .description('Show one backend as it is stored; it holds no secret')
    .addOption(outputOption('wide', 'yaml', 'json', 'name'));
  complete(get, [['Show a backend as YAML', 'backend get openbao -o yaml']]).action(
    carry(
      async ({ getBackend }, invocation, name, options) =>
        getBackend(invocation, String(name), typedFlags(options)),
      async () => import('../backend/get.ts'),
    ),
  );
  const describe = ofOne(backend.command('describe')).description(
    'Say in words what a backend is, whether it works, which Secrets it reads and what uses it',
  );
  complete(describe, [['Describe a backend', 'backend describe openbao -n shop']]).action(
    carry(
      async ({ describeBackend }, invocation, name, options) =>
        describeBackend(invocation, String(name), typedFlags(options)),
      async () => import('../backend/describe.ts'),
    ),
  );
  declareTest(backend, carry);
}

function declareTest(backend: Command, carry: Carry): void {
  const test = ofOne(backend.command('test'))
    .description(
      'Let the operator probe a backend now, and show what it found; exit code 1 if it is not Ready',
    )
    .option('--timeout <seconds>', 'how long to wait for the operator; default: 60');
  complete(test, [
    ['Test a backend', 'backend test openbao -n shop'],
    ['Test a shared backend', 'backend test openbao --cluster'],
  ]).action(
    carry(
      async ({ testBackend }, invocation, name, options) =>
        testBackend(invocation, String(name), typedFlags(options)),
      async () => import('../backend/test.ts'),
    ),
  );
}

function declareDelete(backend: Command, carry: Carry): void {
  const remove = ofOne(backend.command('delete'))
    .description('Delete a backend that no migration uses; no value is deleted in its store')
    .option('--force', 'also while migrations use it: they stop');
  complete(remove, [['Delete a backend', 'backend delete openbao -n shop']]).action(
    carry(
      async ({ deleteBackend }, invocation, name, options) =>
        deleteBackend(invocation, String(name), typedFlags(options)),
      async () => import('../backend/delete.ts'),
    ),
  );
}

function declareSetDefault(backend: Command, carry: Carry): void {
  const setDefault = backend
    .command('set-default')
    .argument('<backend>', 'ClusterSecretBackend that migrations use which name none')
    .description('Make one ClusterSecretBackend the default, and no other');
  complete(setDefault, [['Make kubernetes the default', 'backend set-default kubernetes']]).action(
    carry(
      async ({ setDefaultBackend }, invocation, name) => setDefaultBackend(invocation, String(name)),
      async () => import('../backend/set-default.ts'),
    ),
  );
}

/** An argument that names a backend, and the flag that says of which kind. */
function ofOne(command: Command): Command {
  return command
    .argument('<backend>', 'name of a SecretBackend of the namespace, else of a ClusterSecretBackend')
    .option('--cluster', 'the ClusterSecretBackend of this name');
}

function complete(command: Command, examples: Examples): Command {
  return withExamples(withGlobalFlags(command), examples);
}

/** `-o` with these formats; without it, a table. */
export function outputOption(...formats: readonly string[]): Option {
  return new Option('-o, --output <format>', 'how to print it').choices([...formats]);
}
