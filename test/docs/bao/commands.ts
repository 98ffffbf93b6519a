import { readFileSync } from 'node:fs';
import { Refusal, type Entries } from './api.ts';
import { dataOf, output, type Call, type Command } from './call.ts';
import { KV_COMMANDS } from './kv.ts';
import { duration, keysAndValues, table } from './print.ts';

type Kind = 'secrets' | 'auth';

function addressOf(kind: Kind, path: string): string {
  return kind === 'auth' ? `sys/auth/${path}` : `sys/mounts/${path}`;
}

async function enable(call: Call, kind: Kind): Promise<string> {
  const [type = ''] = call.words;
  const path = (call.flag('path') ?? type).replace(/\/$/, '');
  const version = call.flag('version') ?? (type === 'kv-v2' ? '2' : undefined);
  const options = version === undefined ? {} : { options: { version } };
  const body = { type: type === 'kv-v2' ? 'kv' : type, ...options };
  await call.api.send('Error enabling', `POST ${addressOf(kind, path)}`, body);
  const what = kind === 'auth' ? `${type} auth method` : `the ${type} secrets engine`;
  return `Success! Enabled ${what} at: ${path}/\n`;
}

async function disable(call: Call, kind: Kind): Promise<string> {
  const path = (call.words[0] ?? '').replace(/\/$/, '');
  await call.api.send('Error disabling', `DELETE ${addressOf(kind, path)}`);
  const what = kind === 'auth' ? 'auth method' : 'secrets engine';
  return `Success! Disabled the ${what} (if it existed) at: ${path}/\n`;
}

async function write(call: Call): Promise<string> {
  const [path = '', ...words] = call.words;
  const data = await call.api.send(`Error writing data to ${path}`, `PUT ${path}`, dataOf(call, words));
  return data === undefined
    ? `Success! Data written to: ${path}\n`
    : output(call, data, () => keysAndValues(data));
}

async function read(call: Call): Promise<string> {
  const [path = ''] = call.words;
  const data = await call.api.send(`Error reading ${path}`, `GET ${path}`);
  if (data === undefined) throw new Refusal(`No value found at ${path}`);
  return output(call, data, () => keysAndValues(data));
}

async function list(call: Call): Promise<string> {
  const path = (call.words[0] ?? '').replace(/\/$/, '');
  const data = await call.api.send<{ keys: readonly string[] }>(
    `Error listing ${path}`,
    `GET ${path}?list=true`,
  );
  if (data === undefined) throw new Refusal(`No value found at ${path}`);
  return table(
    ['Keys'],
    data.keys.map((key) => [key]),
  );
}

async function remove(call: Call): Promise<string> {
  const [path = ''] = call.words;
  await call.api.send(`Error deleting ${path}`, `DELETE ${path}`);
  return `Success! Data deleted (if it existed) at: ${path}\n`;
}

interface NewToken extends Entries {
  readonly client_token: string;
  readonly accessor: string;
  readonly lease_duration: number;
  readonly renewable: boolean;
  readonly token_policies: readonly string[] | null;
  readonly identity_policies: readonly string[] | null;
  readonly policies: readonly string[] | null;
}

async function createToken(call: Call): Promise<string> {
  const given = (flag: string) => (call.flag(flag) === undefined ? {} : { [flag]: call.flag(flag) });
  const orphan = call.flag('orphan') === undefined ? {} : { no_parent: true };
  const body = { policies: call.flagsOf('policy'), ...given('ttl'), ...given('period'), ...orphan };
  const token = await call.api.send<NewToken>('Error creating token', 'POST auth/token/create', body);
  if (token === undefined) throw new Refusal('Error creating token: the reply is empty');
  const quoted = (names: readonly string[] | null): string =>
    `[${(names ?? []).map((name) => `"${name}"`).join(' ')}]`;
  const rows = [
    ['token', token.client_token],
    ['token_accessor', token.accessor],
    ['token_duration', duration(token.lease_duration)],
    ['token_renewable', String(token.renewable)],
    ['token_policies', quoted(token.token_policies)],
    ['identity_policies', quoted(token.identity_policies)],
    ['policies', quoted(token.policies)],
  ];
  return output(call, token, () => table(['Key', 'Value'], rows), { ...token, token: token.client_token });
}

async function writePolicy(call: Call): Promise<string> {
  const [name = '', file = '-'] = call.words;
  const policy = file === '-' ? call.stdin() : readFileSync(file, 'utf8');
  await call.api.send('Error uploading policy', `PUT sys/policies/acl/${name}`, { policy });
  return `Success! Uploaded policy: ${name}\n`;
}

/** By their words. */
export const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ...KV_COMMANDS,
  ['secrets enable', { flags: ['path', 'version'], run: (call) => enable(call, 'secrets') }],
  ['secrets disable', { flags: [], run: (call) => disable(call, 'secrets') }],
  ['auth enable', { flags: ['path'], run: (call) => enable(call, 'auth') }],
  ['auth disable', { flags: [], run: (call) => disable(call, 'auth') }],
  ['policy write', { flags: [], run: writePolicy }],
  ['token create', { flags: ['policy', 'ttl', 'period', 'orphan'], run: createToken }],
  ['write', { flags: ['f', 'force'], run: write }],
  ['read', { flags: [], run: read }],
  ['list', { flags: [], run: list }],
  ['delete', { flags: [], run: remove }],
]);
