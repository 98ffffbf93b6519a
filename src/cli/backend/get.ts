import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { isSet, textOf, type TypedFlags } from '../typed-flags.ts';
import { tableOfBackends } from './list.ts';
import { printObject } from './print.ts';
import { findBackend, kubectlName } from './stored.ts';

/** `backend get NAME`: one backend as a row, as it is stored (`-o yaml`, `-o json`), or its name. */
export async function getBackend(invocation: Invocation, name: string, flags: TypedFlags): Promise<number> {
  await using cluster = await UserCluster.open(invocation);
  const found = await findBackend(cluster, name, isSet(flags, 'cluster'));
  const { output, clock } = invocation;
  const format = textOf(flags, 'output');
  if (format === 'yaml' || format === 'json') await printObject(output, found.object, format);
  else if (format === 'name') output.line(kubectlName(found.kind, found.object.metadata.name));
  else {
    const { namespace } = cluster;
    output.line(tableOfBackends([found], { nowMs: clock.now(), isWide: format === 'wide', namespace }));
  }
  return 0;
}
