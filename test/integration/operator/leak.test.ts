import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GROUP, KINDS, VERSION } from '#src/api/group.ts';
import { findCanary, findNumber } from '#test/support/canary.ts';
import { LeakScenarios, LONG } from './leak-scenarios.ts';
import { untilIdle } from './operator-state.ts';
import { OtlpReceiver } from '#test/support/otlp-receiver.ts';
import { kvMetadata, kvNames } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';

/*
 * No value, no length and no digest of one is anywhere but in the two stores: values are planted, everything that can
 * happen to them happens, and then every place that the operator writes to is searched. canary.test.ts shows that the
 * search finds.
 */

const stage = useStage();
let collector: OtlpReceiver;
let scenarios: LeakScenarios;

beforeAll(async () => {
  collector = await OtlpReceiver.start();
  await stage().restartOperator({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  scenarios = new LeakScenarios(stage());
  await scenarios.thereAndBack();
  await scenarios.conflicts();
  await scenarios.inStep();
  await scenarios.refusals();
  await scenarios.oddDocuments();
  await scenarios.tokenFiles();
  await scenarios.talkativeOpenBao();
  await scenarios.talkativeListing();
  await scenarios.talkativeApiServer();
  await scenarios.badTokens();
  await untilIdle(stage().operator);
});

afterAll(async () => collector[Symbol.asyncDispose]());

async function json(path: string): Promise<Buffer> {
  return Buffer.from(JSON.stringify(await stage().cluster.kube('GET', path)));
}

/** All that etcd stores below these prefixes, keys included. */
async function stored(...prefixes: readonly string[]): Promise<Buffer> {
  const parts: (string | Buffer)[] = [];
  for (const prefix of prefixes) {
    const entries = await stage().cluster.etcdEntries(prefix);
    expect(entries.size, prefix).toBeGreaterThan(0);
    for (const [key, value] of entries) parts.push(key, '\n', value, '\n');
  }
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

/** The Secrets that the operator created, without what they are for. */
async function createdSecrets(): Promise<Buffer> {
  const lists = await Promise.all(scenarios.tenants.map(async (tenant) => tenant.secrets()));
  return Buffer.from(JSON.stringify(lists.flat().map(({ data: _data, ...rest }) => rest)));
}

/** What OpenBao keeps beside the values. */
async function documentMetadata(): Promise<Buffer> {
  const parts: unknown[] = [];
  for (const tenant of scenarios.tenants) {
    for (const folder of [tenant.namespace, 'home']) {
      for (const name of await kvNames(tenant, folder)) {
        parts.push([folder, name, await kvMetadata(tenant, `${folder}/${name}`)]);
      }
    }
  }
  return Buffer.from(JSON.stringify(parts));
}

/** Place → its content, and a word that is there: an empty place proves nothing. */
const PLACES: Readonly<Record<string, readonly [read: () => Promise<Buffer>, word: string]>> = {
  'the log': [async () => Buffer.from(stage().operator.logs()), 'reconcile requeued'],
  'the audit log': [async () => Buffer.from(stage().operator.logs()), '"stream":"audit"'],
  'the metrics': [async () => Buffer.from(await stage().operator.metrics()), 'secretmigration_keys{'],
  'the traces': [async () => Promise.resolve(collector.bytes), 'reconcile secretmigration'],
  'the events': [async () => json('/apis/events.k8s.io/v1/events'), 'PartiallyFailed'],
  'the SecretBackends': [
    async () => json(`/apis/${GROUP}/${VERSION}/${KINDS.SecretBackend.plural}`),
    'malformed',
  ],
  'the SecretMigrations': [
    async () => json(`/apis/${GROUP}/${VERSION}/${KINDS.SecretMigration.plural}`),
    'ConflictsFound',
  ],
  'etcd: our objects': [async () => stored(`/registry/${GROUP}/`), 'ConflictsFound'],
  'etcd: events': [async () => stored('/registry/events/'), 'IntegrityViolated'],
  'etcd: leases': [async () => stored('/registry/leases/'), 'keyferry-operator'],
  'the metadata of Secrets': [createdSecrets, 'keyferry'],
  'the metadata at OpenBao': [documentMetadata, 'keyferry-base64'],
};

describe('values', () => {
  it('are found by the search where they belong: in the Secrets of etcd', async () => {
    const secrets = await stored('/registry/secrets/');
    const found = scenarios.canaries.filter((canary) => findCanary(canary, secrets).includes('raw'));
    expect(found.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['text', 'long', 'too large', 'a token that is refused']),
    );
    expect(scenarios.canaries.length).toBeGreaterThan(25);
  });

  it.each(Object.entries(PLACES))(
    'and what they could be told by are not in %s',
    async (_name, [read, word]) => {
      const place = await read();
      expect(place.includes(word), word).toBe(true);
      const leaks = scenarios.canaries.map((canary) => [canary.name, findCanary(canary, place)] as const);
      expect(leaks.filter(([, forms]) => forms.length > 0)).toEqual([]);
      const lengths = [LONG, 4 * Math.ceil(LONG / 3), JSON.stringify({ value: 'x'.repeat(LONG) }).length];
      expect(lengths.filter((length) => findNumber(length, place))).toEqual([]);
    },
  );
});
