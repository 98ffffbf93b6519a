import { reapCluster } from '#test/cluster/reap.ts';
import { forgetKeptDemo, readKeptDemo } from './kept-demo.ts';
import { say } from './stage.ts';

/** `make demo-down`: stops the servers that `make demo KEEP=1` kept running. */
const folder = readKeptDemo();
if (folder === undefined) {
  say('No demo is running.');
} else {
  await reapCluster(folder);
  say(`Stopped; ${folder} is removed.`);
}
forgetKeptDemo();
