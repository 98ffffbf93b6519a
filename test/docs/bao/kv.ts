import { Refusal, type Entries } from './api.ts';
import { dataOf, output, type Call, type Command } from './call.ts';
import { keysAndValues, table, titled } from './print.ts';

const FAILED = 'Error making API request';

interface Place {
  readonly mount: string;
  readonly path: string;
  readonly version: 1 | 2;
}

interface Mount {
  readonly path: string;
  readonly options?: { readonly version?: string } | null;
}

interface Document extends Entries {
  readonly data: Entries | null;
  readonly metadata: Entries;
}

interface Metadata extends Entries {
  readonly versions: Readonly<Record<string, Entries>>;
}

/** `-mount=m path` or `m/path`; the server says where the mount ends and which version it has. */
async function placeOf(call: Call): Promise<Place> {
  const parts = [call.flag('mount'), call.words[0]].filter((part) => part !== undefined);
  const whole = parts.join('/').replace(/\/$/, '');
  const mount = await call.api.send<Mount>(FAILED, `GET sys/internal/ui/mounts/${whole}`);
  if (mount === undefined) throw new Refusal(`No mount at ${whole}`);
  const version = mount.options?.version === '2' ? 2 : 1;
  return { mount: mount.path, path: whole.slice(mount.path.length), version };
}

/** The path below `data/` and so on of version 2; version 1 has one tree. */
async function addressIn(call: Call, tree: string): Promise<string> {
  const { mount, path, version } = await placeOf(call);
  return (version === 1 ? `${mount}${path}` : `${mount}${tree}/${path}`).replace(/\/$/, '');
}

function absent(address: string): never {
  throw new Refusal(`No value found at ${address}`);
}

function written(address: string, metadata: Entries): string {
  return `${titled('Secret Path', `${address}\n`)}\n${titled('Metadata', keysAndValues(metadata))}`;
}

async function put(call: Call): Promise<string> {
  const [{ version }, address] = [await placeOf(call), await addressIn(call, 'data')];
  const data = dataOf(call, call.words.slice(1));
  const cas = call.flag('cas');
  const options = cas === undefined ? {} : { options: { cas: Number(cas) } };
  const body = version === 1 ? data : { data, ...options };
  const metadata = await call.api.send(`Error writing data to ${address}`, `PUT ${address}`, body);
  if (metadata === undefined) return `Success! Data written to: ${address}\n`;
  return output(call, metadata, () => written(address, metadata));
}

async function patch(call: Call): Promise<string> {
  const address = await addressIn(call, 'data');
  const body = { data: dataOf(call, call.words.slice(1)) };
  const what = `Error writing data to ${address}`;
  const metadata = (await call.api.send(what, `PATCH ${address}`, body)) ?? absent(address);
  return output(call, metadata, () => written(address, metadata));
}

async function get(call: Call): Promise<string> {
  const [{ version }, address] = [await placeOf(call), await addressIn(call, 'data')];
  const query = call.flag('version') === undefined ? '' : `?version=${call.flag('version')}`;
  if (version === 1) {
    const values = (await call.api.send(FAILED, `GET ${address}`)) ?? absent(address);
    return output(call, values, () => titled('Data', keysAndValues(values)));
  }
  const document = (await call.api.send<Document>(FAILED, `GET ${address}${query}`)) ?? absent(address);
  const { data, metadata } = document;
  const values = data === null ? '' : `\n${titled('Data', keysAndValues(data))}`;
  return output(call, document, () => `${written(address, metadata)}${values}`, data ?? {});
}

async function list(call: Call): Promise<string> {
  const address = await addressIn(call, 'metadata');
  const found = await call.api.send<{ keys: readonly string[] }>(FAILED, `GET ${address}?list=true`);
  const rows = (found ?? absent(address)).keys.map((key) => [key]);
  return table(['Keys'], rows);
}

async function remove(call: Call): Promise<string> {
  const address = await addressIn(call, 'data');
  const versions = call.flag('versions')?.split(',');
  const what = `Error deleting ${address}`;
  if (versions === undefined) await call.api.send(what, `DELETE ${address}`);
  else await call.api.send(what, `PUT ${await addressIn(call, 'delete')}`, { versions });
  return `Success! Data deleted (if it existed) at: ${address}\n`;
}

async function changeVersions(call: Call, tree: 'undelete' | 'destroy'): Promise<string> {
  const address = await addressIn(call, tree);
  const versions = call.flag('versions')?.split(',');
  await call.api.send(`Error writing data to ${address}`, `PUT ${address}`, { versions });
  return `Success! Data written to: ${address}\n`;
}

async function rollback(call: Call): Promise<string> {
  const address = await addressIn(call, 'data');
  const read = async (query: string): Promise<Document> =>
    (await call.api.send<Document>(FAILED, `GET ${address}${query}`)) ?? absent(address);
  const { data } = await read(`?version=${call.flag('version') ?? ''}`);
  if (data === null) throw new Refusal('Cannot roll back to a version that has been deleted');
  const { metadata } = await read('');
  const body = { data, options: { cas: metadata['version'] } };
  const now = await call.api.send(`Error writing data to ${address}`, `PUT ${address}`, body);
  return keysAndValues(now ?? {});
}

async function metadataOf(call: Call): Promise<string> {
  const address = await addressIn(call, 'metadata');
  const metadata = (await call.api.send<Metadata>(FAILED, `GET ${address}`)) ?? absent(address);
  const { versions, ...own } = metadata;
  const parts = [
    titled('Metadata Path', `${address}\n`),
    titled('Metadata', keysAndValues(own)),
    ...Object.entries(versions).map(([number, entries]) =>
      titled(`Version ${number}`, keysAndValues(entries)),
    ),
  ];
  return output(call, metadata, () => parts.join('\n'));
}

async function changeMetadata(call: Call, method: 'PUT' | 'PATCH'): Promise<string> {
  const address = await addressIn(call, 'metadata');
  const entries = dataOf(call, call.flagsOf('custom-metadata'));
  const lifetime = call.flag('delete-version-after');
  const versions = call.flag('max-versions');
  const body = {
    ...(Object.keys(entries).length === 0 ? {} : { custom_metadata: entries }),
    ...(lifetime === undefined ? {} : { delete_version_after: lifetime }),
    ...(versions === undefined ? {} : { max_versions: Number(versions) }),
  };
  await call.api.send(`Error writing data to ${address}`, `${method} ${address}`, body);
  return `Success! Data written to: ${address}\n`;
}

async function removeAll(call: Call): Promise<string> {
  const address = await addressIn(call, 'metadata');
  await call.api.send(`Error deleting ${address}`, `DELETE ${address}`);
  return `Success! Data deleted (if it existed) at: ${address}\n`;
}

const METADATA = ['mount', 'custom-metadata', 'delete-version-after', 'max-versions'];

/** `bao kv …`, for mounts of both versions. */
export const KV_COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['kv put', { flags: ['mount', 'cas'], run: put }],
  ['kv patch', { flags: ['mount'], run: patch }],
  ['kv get', { flags: ['mount', 'version'], run: get }],
  ['kv list', { flags: ['mount'], run: list }],
  ['kv delete', { flags: ['mount', 'versions'], run: remove }],
  ['kv undelete', { flags: ['mount', 'versions'], run: (call) => changeVersions(call, 'undelete') }],
  ['kv destroy', { flags: ['mount', 'versions'], run: (call) => changeVersions(call, 'destroy') }],
  ['kv rollback', { flags: ['mount', 'version'], run: rollback }],
  ['kv metadata get', { flags: ['mount'], run: metadataOf }],
  ['kv metadata put', { flags: METADATA, run: (call) => changeMetadata(call, 'PUT') }],
  ['kv metadata patch', { flags: METADATA, run: (call) => changeMetadata(call, 'PATCH') }],
  ['kv metadata delete', { flags: ['mount'], run: removeAll }],
]);
