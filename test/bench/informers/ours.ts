import { readFileSync } from 'node:fs';
import { HttpKubeClient } from '#src/kube/transport.ts';
import { Informer } from '#src/runtime/informer.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock as clock } from '#src/runtime/system-clock.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { report } from './report.ts';

/* node ours.js <server> <CA file> <token file> <metadata | whole>: Keyferry's informer, on Secrets, as in a pod. */

const [server = '', caFile = '', tokenFile = '', content] = process.argv.slice(2);
const tls = { ca: readFileSync(caFile, 'utf8') };
const authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
const connection = {
  server: new URL(server),
  namespace: undefined,
  tls: async () => Promise.resolve(tls),
  authorization: async () => Promise.resolve(authorization),
  forgetAuthorization: () => undefined,
};
const common = { clock, random: Math.random, metrics: new RecordedMetrics() };
const client = new HttpKubeClient({ ...common, connection, mandate: ALWAYS_HELD, version: 'bench' });
const resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const informer = new Informer({
  ...common,
  client,
  logger: new RecordedLog(),
  selection: { resource, metadataOnly: content === 'metadata' },
  project: (object) => object,
});
informer.addHandler(({ old, current, initial }) => {
  if (!initial && old === undefined && current !== undefined) report('seen', current.metadata.name);
});
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('exit', () => report('stopped'));
report('loaded');
const running = informer.run(stop.signal);
await informer.synced;
report('synced', String([...informer.store.keys()].length));
await running;
await client[Symbol.asyncDispose]();
