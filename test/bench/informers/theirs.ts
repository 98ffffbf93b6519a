import { readFileSync } from 'node:fs';
import { CoreV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';
import { report } from './report.ts';

/* node theirs.js <server> <CA file> <token file>: client-node's informer, on Secrets, started again as its examples do. */

const RESTART_MS = 5000;

const [server = '', caFile = '', tokenFile = ''] = process.argv.slice(2);
const config = new KubeConfig();
const token = readFileSync(tokenFile, 'utf8').trim();
config.loadFromClusterAndUser({ name: 'c', server, caFile, skipTLSVerify: false }, { name: 'u', token });
const api = config.makeApiClient(CoreV1Api);
let isInitial = true;
const informer = makeInformer(config, '/api/v1/secrets', async () => api.listSecretForAllNamespaces());
informer.on('add', ({ metadata }) => {
  if (!isInitial) report('seen', metadata?.name);
});
let isStopped = false;
let restart: NodeJS.Timeout | undefined;
informer.on('error', (error: unknown) => {
  // stop() is reported as an error, too: who starts again at every error never ends.
  if (isStopped) return;
  report('error', error instanceof Error ? error.message : 'unknown');
  restart = setTimeout(() => void informer.start(), RESTART_MS);
});
process.once('SIGTERM', () => {
  isStopped = true;
  clearTimeout(restart);
  void informer.stop();
});
process.once('exit', () => report('stopped'));
report('loaded');
await informer.start();
isInitial = false;
report('synced', String(informer.list().length));
