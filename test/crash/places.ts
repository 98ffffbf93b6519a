import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RequestHistory } from '#test/support/request-history.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { tokenFolderOf } from '#test/support/token-files.ts';
import { FIELD, readStored } from './documents.ts';
import { isStep } from './kill-switch.ts';
import type { Place, Values } from './observer.ts';

const READS_AT_ONCE = 16;

/** The Secrets of a tenant, by their only field. */
export function secretsOf(tenant: Tenant): Place {
  return {
    find: async (values) => {
      const found = new Set((await tenant.secrets()).map(({ data }) => data?.[FIELD]));
      return namesOf(values, (value) => found.has(value.toString('base64')));
    },
  };
}

/** The token files of a tenant, also those that a change has renamed for the moment. */
export function filesOf(tenant: Tenant): Place {
  const folder = tokenFolderOf(tenant.cluster, tenant.namespace);
  return {
    find: (values) => {
      const found = new Set(contentsOf(folder));
      return Promise.resolve(namesOf(values, (value) => found.has(value.toString('base64'))));
    },
    token: () => String(statSync(folder, { bigint: true }).mtimeNs),
  };
}

/** A file can be renamed between the listing and its read; it is found by the next look. */
function contentsOf(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readFileSync(join(folder, name)).toString('base64')];
    } catch {
      return [];
    }
  });
}

/** The current versions below the tenant's folder at the KV server, under the names of the values. */
export function versionsOf(tenant: Tenant): Place {
  return {
    find: async (values) => {
      const found = new Set<string>();
      const names = [...values.keys()];
      for (let from = 0; from < names.length; from += READS_AT_ONCE) {
        const some = names.slice(from, from + READS_AT_ONCE);
        const stored = await Promise.all(some.map(async (name) => readStored(tenant, name)));
        for (const [index, name] of some.entries()) {
          const value = stored[index]?.value;
          if (value !== undefined && values.get(name)?.equals(value) === true) found.add(name);
        }
      }
      return found;
    },
  };
}

function namesOf(values: Values, isFound: (value: Buffer) => boolean): ReadonlySet<string> {
  return new Set([...values].filter(([, value]) => isFound(value)).map(([name]) => name));
}

/** The changes of documents in a history, for the Observer: how many there were; undefined while one is under way. */
export function changesIn({ requests }: Pick<RequestHistory, 'requests'>): () => string | undefined {
  let checked = 0;
  let count = 0;
  const open = new Set<(typeof requests)[number]>();
  return () => {
    for (const request of requests.slice(checked)) {
      if (!isStep(request)) continue;
      count += 1;
      open.add(request);
    }
    checked = requests.length;
    for (const request of open) if (request.endSeq !== undefined) open.delete(request);
    return open.size > 0 ? undefined : `${count} changes`;
  };
}
