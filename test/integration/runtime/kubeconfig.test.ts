import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openKubeconfigConnection } from '#src/kube/kubeconfig.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { sharedCluster } from '#test/cluster/shared.ts';
import { runKubectl } from '#test/cluster/kubectl.ts';

const entries = (kind: string, fields: fc.Arbitrary<object>) =>
  fc.uniqueArray(fc.record({ name: fc.constantFrom('one', 'two'), [kind]: fields }), {
    selector: ({ name }) => name,
  });
const word = fc.constantFrom('one', 'two');

const file = fc.record(
  {
    clusters: entries('cluster', fc.record({ server: fc.domain().map((host) => `https://${host}`) })),
    users: entries('user', fc.record({ token: fc.uuid() })),
    contexts: entries('context', fc.record({ cluster: word, user: word })),
    'current-context': fc.constantFrom('one', 'two', ''),
  },
  { requiredKeys: [] },
);
/** undefined: a file that does not exist. */
const list = fc.array(fc.option(file, { nil: undefined }), { minLength: 1, maxLength: 4 });

/** What kubectl would connect to, and with which token; undefined where its kubeconfig has no such context. */
async function chosenByKubectl(KUBECONFIG: string): Promise<object | undefined> {
  const cluster = sharedCluster();
  const setup = { program: cluster.kubectlProgram, kubeconfig: KUBECONFIG, home: cluster.folder };
  // --minify leaves the current context and what it names.
  const { code, stdout } = await runKubectl(setup, ['config', 'view', '--minify', '--raw', '-o', 'json']);
  if (code !== 0) return undefined;
  interface View {
    readonly clusters: readonly { readonly cluster: { readonly server: string } }[] | null;
    readonly users: readonly { readonly user: { readonly token: string } }[] | null;
  }
  const { clusters, users }: View = JSON.parse(stdout);
  if (clusters === null || users === null) return undefined;
  return { server: new URL(clusters[0]?.cluster.server ?? '').href, token: users[0]?.user.token };
}

async function chosenByKeyferry(path: string): Promise<object | undefined> {
  try {
    const connection = await openKubeconfigConnection({ path, clock: systemClock });
    const authorization = await connection.authorization();
    return { server: connection.server.href, token: authorization?.replace('Bearer ', '') };
  } catch {
    return undefined;
  }
}

test('a list of kubeconfig files leads to the same server and user as it leads kubectl', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'keyferry-lists-'));
  await fc.assert(
    fc.asyncProperty(list, async (files) => {
      const run = await mkdtempDisposable(join(folder.path, 'run-'));
      const paths = files.map((_, index) => join(run.path, String(index)));
      for (const [index, content] of files.entries())
        if (content !== undefined) await writeFile(paths[index] ?? '', JSON.stringify(content));
      const KUBECONFIG = paths.join(delimiter);
      expect(await chosenByKeyferry(KUBECONFIG)).toEqual(await chosenByKubectl(KUBECONFIG));
    }),
    { numRuns: 25 },
  );
});
