import { GROUP, KINDS } from '#src/api/group.ts';
import type { JsonObject } from '#src/kube/json.ts';
import type { Resource } from '#src/kube/resource.ts';
import { isJsonObject } from '#src/kube/json.ts';
import type { Examined, Finding } from './finding.ts';
import { at, textAt } from '../members.ts';
import { mayNotLook, readList } from './read.ts';

const QUOTAS: Resource = {
  group: '',
  version: 'v1',
  plural: 'resourcequotas',
  kind: 'ResourceQuota',
  namespaced: true,
};
/** What the operator creates in a namespace. */
const COUNTED = [
  'secrets',
  'count/secrets',
  `count/${KINDS.SecretMigrationReport.plural}.${GROUP}`,
  `count/${KINDS.SecretMigration.plural}.${GROUP}`,
];

/** The quotas of the namespace have room for what a migration creates. */
export async function checkQuota(examined: Examined): Promise<readonly Finding[]> {
  const check = 'quota';
  const { namespace } = examined.cluster;
  const quotas = await readList(examined, QUOTAS, { namespace });
  if (typeof quotas === 'string') return [mayNotLook(check, QUOTAS)];
  const full = quotas.flatMap((quota) => {
    const name = textAt(quota, 'metadata', 'name');
    return fullIn(quota).map(({ what, hard }): Finding => ({
      level: 'warning',
      check,
      found: `ResourceQuota ${namespace}/${name} has no room: ${what} is at its limit of ${hard}.`,
      fix: `kubectl edit resourcequota ${name} -n ${namespace}`,
    }));
  });
  if (full.length > 0) return full;
  return [{ level: 'ok', check, found: `No quota of the namespace ${namespace} is in the way.` }];
}

function fullIn(quota: JsonObject): readonly { readonly what: string; readonly hard: string }[] {
  const hard = at(quota, 'status', 'hard');
  const used = at(quota, 'status', 'used');
  if (!isJsonObject(hard) || !isJsonObject(used)) return [];
  return COUNTED.flatMap((what) => {
    const [limit, count] = [hard[what], used[what]].map(Number);
    return limit !== undefined && count !== undefined && count >= limit
      ? [{ what, hard: String(hard[what]) }]
      : [];
  });
}
