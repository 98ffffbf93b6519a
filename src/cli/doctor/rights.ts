import type { V1SubjectAccessReview } from '@kubernetes/client-node';
import { GROUP, KINDS, type Kind } from '#src/api/group.ts';
import { hasCode } from '#src/errors.ts';
import { hasRight, type Right } from '#src/kube/access-review.ts';
import { isJsonObject } from '#src/kube/json.ts';
import type { Wire } from '#src/kube/wire.ts';
import { printable } from '../output.ts';
import type { Examined, Finding } from './finding.ts';
import { installedOperator } from './operator.ts';
import { at, textAt } from '../members.ts';

const ALL_OF_KIND: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  SecretMigration: ['get', 'list', 'watch', 'create', 'patch', 'approve'],
  SecretBackend: ['get', 'list', 'watch', 'create', 'patch'],
  SecretMigrationReport: ['get', 'list'],
};

/** What this user may do in the namespace. A user with few rights is not a problem: commands say what they lack. */
export async function checkOwnRights(examined: Examined): Promise<readonly Finding[]> {
  const { namespace, client, signal } = examined.cluster;
  const about = { op: 'doctor.rights', target: namespace, signal };
  const asked = Object.entries(ALL_OF_KIND).flatMap(([kind, verbs]) =>
    verbs.map((verb) => ({ verb, plural: pluralOf(kind) })),
  );
  const answers = await Promise.all(
    asked.map(async ({ verb, plural }) =>
      hasRight(client, { verb, resource: { group: GROUP, plural }, namespace }, about),
    ),
  );
  const missing = asked.filter((_, index) => answers[index] !== true);
  const check = 'your rights';
  // Few people approve: it is a right of its own, which no built-in role has.
  const mayNotApprove = missing.some(({ verb }) => verb === 'approve');
  if (missing.every(({ verb }) => verb === 'approve')) {
    const but = mayNotApprove ? ', but not that to approve plans' : '';
    const found = `You have the rights on the objects of keyferry in the namespace ${namespace}${but}.`;
    return [{ level: 'ok', check, found }];
  }
  const user = await ownName(examined);
  return [
    {
      level: 'warning',
      check,
      found: `In the namespace ${namespace} you may not ${inWords(missing)}.`,
      fix: `kubectl create rolebinding keyferry-edit -n ${namespace} --clusterrole=edit --user='${user}'    # by an administrator`,
    },
  ];
}

/** `create, patch secretmigrations; list secretbackends`. */
function inWords(missing: readonly { readonly verb: string; readonly plural: string }[]): string {
  const byPlural = Map.groupBy(missing, ({ plural }) => plural);
  return [...byPlural]
    .map(([plural, rights]) => `${rights.map(({ verb }) => verb).join(', ')} ${plural}`)
    .join('; ');
}

function pluralOf(kind: string): string {
  return new Map<string, { readonly plural: string }>(Object.entries(KINDS)).get(kind)?.plural ?? '';
}

/** As the API server knows the user; a placeholder if it does not say. */
async function ownName({ cluster: { client, signal } }: Examined): Promise<string> {
  try {
    const reply = await client.request({
      method: 'POST',
      onlyAsks: true,
      path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      op: 'doctor.whoami',
      target: 'SelfSubjectReview',
      signal,
    });
    return printable(textAt(reply, 'status', 'userInfo', 'username')).replaceAll("'", '') || 'YOU';
  } catch {
    return 'YOU';
  }
}

const status = (kind: Kind): string => `${KINDS[kind].plural}/status`;

/** What the operator cannot work without, in a namespace that it serves. */
const OF_OPERATOR: readonly Pick<Right, 'verb' | 'resource'>[] = [
  ...['get', 'list', 'watch'].flatMap((verb) => [
    { verb, resource: { group: GROUP, plural: KINDS.SecretMigration.plural } },
    { verb, resource: { group: GROUP, plural: KINDS.SecretBackend.plural } },
  ]),
  { verb: 'patch', resource: { group: GROUP, plural: status('SecretMigration') } },
  { verb: 'patch', resource: { group: GROUP, plural: status('SecretBackend') } },
  { verb: 'create', resource: { group: GROUP, plural: KINDS.SecretMigrationReport.plural } },
];
/** A scope can leave them out, for a namespace whose Secrets are not moved. */
const OF_SECRETS: readonly Pick<Right, 'verb' | 'resource'>[] = [
  'get',
  'list',
  'create',
  'patch',
  'delete',
].map((verb) => ({ verb, resource: { group: '', plural: 'secrets' } }));

/** What the operator may do in the namespace, if this user may ask for the rights of others. */
export async function checkOperatorRights(examined: Examined): Promise<readonly Finding[]> {
  const check = "operator's rights";
  const { namespace } = examined.cluster;
  const account = await accountOfOperator(examined);
  let answers: readonly boolean[];
  const asked = [...OF_OPERATOR, ...OF_SECRETS];
  try {
    answers = await Promise.all(asked.map(async (right) => mayServe(examined, account, right)));
  } catch (thrown) {
    if (!hasCode(thrown, 'AUTH_DENIED')) throw thrown;
    return [
      { level: 'skipped', check, found: 'You may not ask for the rights of others (subjectaccessreviews).' },
    ];
  }
  const missing = asked
    .filter((_, index) => answers[index] !== true)
    .map(({ verb, resource }) => ({ verb, ...resource }));
  if (missing.length === 0)
    return [
      {
        level: 'ok',
        check,
        found: `ServiceAccount ${account} has its rights in the namespace ${namespace}.`,
      },
    ];
  const needed = missing.filter(({ group }) => group === GROUP);
  const role = needed.length > 0 ? 'keyferry-operator' : 'keyferry-secrets';
  return [
    {
      level: needed.length > 0 ? 'problem' : 'warning',
      check,
      found: `In the namespace ${namespace}, the ServiceAccount ${account} may not ${inWords(missing)}.`,
      fix: `kubectl create rolebinding ${role} -n ${namespace} --clusterrole=${role} --serviceaccount=${account}    # or kubectl apply -k config/`,
    },
  ];
}

/** `namespace:name` of the ServiceAccount of the operator. */
export async function accountOfOperator(examined: Examined): Promise<string> {
  const { serviceAccount } = await installedOperator(examined);
  return `${examined.operatorNamespace}:${serviceAccount}`;
}

/** Whether the account has the right in the namespace. Throws `AUTH_DENIED` if this user may not ask for the rights of others. */
export async function mayServe(
  { cluster: { client, namespace, signal } }: Examined,
  account: string,
  { verb, resource }: Pick<Right, 'verb' | 'resource'>,
): Promise<boolean> {
  const [plural = '', subresource] = resource.plural.split('/');
  const [home = ''] = account.split(':');
  const reply = await client.request({
    method: 'POST',
    onlyAsks: true,
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: `system:serviceaccount:${account}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${home}`, 'system:authenticated'],
        resourceAttributes: {
          verb,
          group: resource.group,
          resource: plural,
          namespace,
          ...(subresource === undefined ? {} : { subresource }),
        },
      },
    } satisfies Wire<V1SubjectAccessReview>,
    op: 'doctor.rights',
    target: account,
    signal,
  });
  return isJsonObject(reply) && at(reply, 'status', 'allowed') === true;
}
