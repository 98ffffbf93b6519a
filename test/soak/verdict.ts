import { readFileSync } from 'node:fs';
import { insist, readSide } from './editor.ts';
import type { Group } from './groups.ts';
import { faultsOf, Order, strangenessOf, type Entry } from './ledger.ts';
import { foundInSecret, historyOf } from './sides.ts';

/** So many documents are read at once. */
const AT_ONCE = 8;

/** What is wrong with the documents of a group as they are now; also notes which are in step. */
export async function compare(group: Group): Promise<readonly string[]> {
  const faults: string[] = [];
  await forEach(group.entries, async (entry) => {
    const { last } = entry;
    const secret = await readSide(group, entry, 'secret');
    const path = await readSide(group, entry, 'path');
    const found = faultsOf(entry, { secret, path });
    // An edit meanwhile makes the look worthless.
    if (entry.last !== last) return;
    if (found.length === 0) entry.inStepAt = last?.kind === 'put' ? Date.now() : entry.inStepAt;
    faults.push(...found.map((fault) => `${entry.group}/${entry.name}: ${fault}`));
  });
  return faults;
}

/** What is wrong with the history of the KV server: values that nobody wrote, that came back, or were written twice. */
export async function judgeHistories(group: Group): Promise<readonly string[]> {
  const faults: string[] = [];
  await forEach(group.entries, async (entry) => {
    const history = await insist('a history is read', async () => historyOf(group.tenant, entry.name));
    const order = new Order();
    let before: string | undefined;
    for (const [index, found] of history.entries()) {
      const what = order.next(entry, found);
      const token = found.state === 'present' ? found.token : undefined;
      const isTwice = token !== undefined && token === before && !entry.repeated.has(token);
      before = token;
      if (what !== undefined) faults.push(`${entry.group}/${entry.name}: version ${index + 1} ${what}`);
      if (isTwice) faults.push(`${entry.group}/${entry.name}: version ${index + 1} repeats ${token}`);
    }
  });
  return faults;
}

/** Drift that was undone and is kept nowhere, and was not replaced by later drift. */
export async function lostDrifts(group: Group): Promise<readonly string[]> {
  if (!group.kind.hasDrift) return [];
  const kept = new Set<string>();
  for (const secret of await insist('Secrets are read', async () => group.tenant.secrets())) {
    const found = foundInSecret(secret.data === undefined ? {} : { data: secret.data });
    if (found.state === 'present') kept.add(found.token);
  }
  const last = group.entries.flatMap(({ drifts }) => drifts.slice(-1));
  return last.filter((token) => !kept.has(token)).map((token) => `${token} was undone and is kept nowhere`);
}

/** Backup Secrets and other Secrets that have a value that nobody wrote. */
export async function strangeSecrets(group: Group): Promise<readonly string[]> {
  const secrets = await insist('Secrets are read', async () => group.tenant.secrets());
  const byName = new Map(group.entries.map((entry) => [entry.name, entry]));
  return secrets.flatMap(({ metadata, data }) => {
    const entry = byName.get(documentOf(metadata.name));
    if (entry === undefined)
      return metadata.name === 'bao-token' ? [] : [`the Secret ${metadata.name} is unknown`];
    const why = strangenessOf(entry, foundInSecret(data === undefined ? {} : { data }));
    return why === undefined ? [] : [`the Secret ${metadata.name} ${why}`];
  });
}

/** `doc-001`, also of its backups. */
function documentOf(name: string): string {
  return /^doc-\d+/.exec(name)?.[0] ?? name;
}

/** Logs that have a value of the model. */
export function leaksIn(logFiles: readonly string[]): readonly string[] {
  return logFiles.filter((file) => /soak-[a-z]+-doc-\d+-(?:edit|drift)/.test(readFileSync(file, 'utf8')));
}

async function forEach(entries: readonly Entry[], work: (entry: Entry) => Promise<void>): Promise<void> {
  const waiting = entries.values();
  const lane = async (): Promise<void> => {
    for (const entry of waiting) await work(entry);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
