import { BUILT_IN, OPTIONAL } from '#src/controllers/uses/kinds.ts';
import { PUSH_SECRETS } from '#src/controllers/uses/push-secrets.ts';
import { hasCode } from '#src/errors.ts';
import { ApiLists } from '#src/runtime/api-lists.ts';
import type { Examined, Finding } from './finding.ts';
import { accountOfOperator, mayServe } from './rights.ts';

const CHECK = 'uses of Secrets';
const ROLE = 'keyferry-in-use';

interface Listed {
  readonly group: string;
  readonly plural: string;
}

/** Whether the operator may list what can use a Secret: without it, no source is removed (config/in-use). */
export async function checkUses(examined: Examined): Promise<readonly Finding[]> {
  const { namespace } = examined.cluster;
  const account = await accountOfOperator(examined);
  let asked: readonly Listed[];
  let answers: readonly boolean[];
  try {
    asked = await served(examined);
    answers = await Promise.all(
      asked.map(async (resource) => mayServe(examined, account, { verb: 'list', resource })),
    );
  } catch (thrown) {
    if (!hasCode(thrown, 'AUTH_DENIED')) throw thrown;
    // What that means for the other rights of the operator is said there.
    return [];
  }
  const missing = asked.filter((_, index) => answers[index] !== true);
  if (missing.length === 0) {
    const found = `ServiceAccount ${account} may list what uses Secrets in the namespace ${namespace}.`;
    return [{ level: 'ok', check: CHECK, found }];
  }
  const plurals = missing.map(({ plural }) => plural).join(', ');
  return [
    {
      level: 'warning',
      check: CHECK,
      found: `In the namespace ${namespace}, the ServiceAccount ${account} may not list ${plurals}. So it is unknown whether a Secret is in use, and none is removed (InUseUnknown).`,
      fix: `kubectl create rolebinding ${ROLE} -n ${namespace} --clusterrole=${ROLE} --serviceaccount=${account}    # or kubectl apply -k config/`,
    },
  ];
}

/** What the operator lists before a removal: what every cluster has, and what this one serves of the rest. */
async function served({ clock, cluster: { client, signal } }: Examined): Promise<readonly Listed[]> {
  const lists = new ApiLists(client, { monotonic: () => clock.now() });
  const optional = [...OPTIONAL.map(({ resource }) => resource), PUSH_SECRETS];
  const found = await Promise.all(
    optional.map(async ({ group, plural }) => lists.find({ group, plural }, signal)),
  );
  return [...BUILT_IN.map(({ resource }) => resource), ...found.filter((each) => typeof each !== 'string')];
}
