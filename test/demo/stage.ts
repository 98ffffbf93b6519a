import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Cluster } from '#test/cluster/cluster.ts';
import { Person } from '#test/support/person.ts';

const run = promisify(execFile);

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints the command, runs it and prints its output. A command that fails ends the demo. */
export async function showKubectl(cluster: Cluster, args: readonly string[], input?: object): Promise<void> {
  say(`\n$ kubectl ${args.map(quoted).join(' ')}`);
  const result = await cluster.kubectl(args, input === undefined ? {} : { input: JSON.stringify(input) });
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  if (result.code !== 0) throw new Error(`kubectl ${args[0] ?? ''} ended with exit code ${result.code}`);
}

/** The same for the commands of Keyferry, as a plugin of kubectl. */
export async function showKeyferry(cluster: Cluster, args: readonly string[]): Promise<void> {
  say(`\n$ kubectl keyferry ${args.map(quoted).join(' ')}`);
  const result = await Person.at(cluster).run(...args);
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  if (result.code !== 0)
    throw new Error(`kubectl keyferry ${args[0] ?? ''} ended with exit code ${result.code}`);
}

/** The same for the KV server's own command line client, as root. */
export async function showBao(cluster: Cluster, args: readonly string[]): Promise<void> {
  const name = cluster.isOpenBao ? 'bao' : 'vault';
  say(`\n$ ${name} ${args.map(quoted).join(' ')}`);
  const variables = { ADDR: cluster.baoUrl, TOKEN: cluster.rootToken, CACERT: cluster.baoCaPath };
  const prefix = cluster.isOpenBao ? 'BAO' : 'VAULT';
  const environment = Object.entries(variables).map(([key, value]) => [`${prefix}_${key}`, value]);
  const { stdout } = await run(cluster.baoProgram, args, {
    env: { HOME: cluster.folder, ...Object.fromEntries(environment) },
  });
  process.stdout.write(stdout);
}

function quoted(argument: string): string {
  return /^[A-Za-z0-9_=:,./@-]+$/.test(argument) ? argument : `'${argument}'`;
}
