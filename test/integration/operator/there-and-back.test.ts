import type { EventsV1Event } from '@kubernetes/client-node';
import type { StoredList } from '#src/kube/wire.ts';
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { createAuthority, issueCertificate } from '#test/cluster/pki.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { kvData, kvMetadata, kvNames, statesOf } from '#test/support/queries.ts';
import { useStage } from '#test/support/stage.ts';

const stage = useStage();

/** A text of lines, like a bundle of certificates. The server counts each line break twice. */
function textOf(bytes: number): string {
  return `${'x'.repeat(64)}\n`.repeat(Math.ceil(bytes / 65)).slice(0, bytes);
}

async function allKinds() {
  const authority = await createAuthority('Test CA');
  const { certificate, key } = await issueCertificate(authority, {
    commonName: 'shop.example',
    dnsNames: ['shop.example'],
    ipAddresses: [],
    usages: ['server'],
  });
  const registry = { auths: { 'registry.example': { auth: 'cm9ib3Q6aHVudGVyMg==' } } };
  return [
    aSecret('opaque', { user: 'app', password: 'correct horse battery staple' }),
    aSecret('tls', { 'tls.crt': certificate, 'tls.key': key }, { type: 'kubernetes.io/tls' }),
    aSecret(
      'registry',
      { '.dockerconfigjson': JSON.stringify(registry) },
      { type: 'kubernetes.io/dockerconfigjson' },
    ),
    aSecret('binary', {
      every: Uint8Array.from({ length: 256 }, (_, byte) => byte),
      random: randomBytes(4096),
      beside: 'text beside bytes',
    }),
    aSecret('empty-value', { empty: '', full: 'x' }),
    aSecret('large', { 'app.conf': textOf(1_000_000) }),
    aSecret('immutable', { pin: '0000' }, { immutable: true }),
    aSecret('dotted.keys', { 'a.b.c': '1', '.hidden': '2', 'UPPER_case-1': '3' }),
    aSecret('no-data', {}),
    aSecret('unicode', {
      text: 'naïve – 東京 – 🔑 – e\u0301',
      bom: '\uFEFFwith a byte order mark',
      nul: 'before\0after',
      lines: '\r\n first\n\tsecond \n\n',
      quotes: '{"json": "\\u0041"}',
      base64: Buffer.from('looks encoded').toString('base64'),
    }),
    aSecret('basic', { username: 'admin', password: 't0p' }, { type: 'kubernetes.io/basic-auth' }),
    aSecret('ssh', { 'ssh-privatekey': key }, { type: 'kubernetes.io/ssh-auth' }),
  ];
}

/** Everything of a Secret that a pod can see. */
async function contentOf(tenant: Tenant) {
  const secrets = await tenant.secrets();
  return secrets
    .filter((secret) => secret.metadata.name !== 'bao-token')
    .map(({ metadata, type, immutable, data }) => ({ name: metadata.name, type, immutable, data }))
    .toSorted((a, b) => a.name.localeCompare(b.name));
}

it('brings 12 Secrets of every kind to OpenBao and into another namespace as the same objects', async () => {
  const here = await stage().tenant();
  const secrets = await allKinds();
  for (const secret of secrets) await here.apply(secret);
  await here.apply(aMigration('out'));
  const out = await here.untilReady('out');
  expect(out.status.documents).toBe(12);
  expect(out.status.summary).toMatchObject({ total: 25, verified: 25 });
  expect(out.status.progress).toBe('25/25');

  const there = await stage().tenant({ mount: here.mount });
  await there.apply(
    aMigration('back', {
      from: 'bao',
      to: 'kubernetes',
      select: { all: true },
      mapping: { path: `${here.namespace}/{name}` },
    }),
  );
  const back = await there.untilReady('back');
  expect(back.status.progress).toBe('25/25');

  const originals = await contentOf(here);
  expect(originals).toHaveLength(12);
  expect(await contentOf(there)).toEqual(originals);
});

it('stores text as text, so that every client of OpenBao can use it, in exactly one version', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('db', { user: 'app', password: 'naïve – 東京' }));
  await tenant.apply(aMigration('plain'));
  await tenant.untilReady('plain');
  const path = `${tenant.namespace}/db`;
  expect(await kvData(tenant, path)).toEqual({ user: 'app', password: 'naïve – 東京' });
  expect(await kvMetadata(tenant, path)).toMatchObject({ current_version: 1, custom_metadata: null });
});

it('refuses a binary value that does not fit once it is encoded, and moves the others', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('huge', { blob: randomBytes(900_000) }));
  await tenant.apply(aSecret('small', { a: '1', b: '2' }));
  await tenant.apply(aMigration('mixed'));
  const migration = await tenant.untilReady('mixed', { status: 'False', reason: 'PartiallyFailed' });

  expect(migration.status.summary).toMatchObject({ total: 3, verified: 2, failed: 1 });
  expect(migration.status.progress).toBe('2/3');
  expect(await statesOf(tenant, 'mixed')).toEqual({ huge: 'Failed TooLarge', small: 'Verified' });
  const succeeded = migration.status.conditions?.find(({ type }) => type === 'Succeeded');
  expect(succeeded).toMatchObject({ status: 'False', reason: 'PartiallyFailed' });
  expect(succeeded?.message).toBe(
    '2/3 keys verified; 1 failed. First: "huge" (TooLarge); its row in status says what to do. See https://keyferry.io/docs/reasons#partiallyfailed.',
  );

  expect(await kvNames(tenant, tenant.namespace)).toEqual(['small']);
  expect(await kvMetadata(tenant, `${tenant.namespace}/huge`)).toBeUndefined();
});

it('shows the verdict in the columns of kubectl get and as an event', async () => {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret('db', { user: 'app', password: 'secret' }));
  await tenant.apply(aMigration('shown'));
  await tenant.untilReady('shown');
  const { cluster, namespace } = tenant;

  const table = await cluster.kubectl(['get', 'secretmigrations', '-n', namespace]);
  const [head = '', row = ''] = table.stdout.split('\n');
  expect(head.split(/\s+/)).toEqual(['NAME', 'READY', 'STATUS', 'PROGRESS', 'FAILED', 'CONFLICTS', 'AGE']);
  expect(row.split(/\s+/).slice(0, 6)).toEqual(['shown', 'True', 'Completed', '2/2', '0', '0']);

  const completed = await eventually('its event is there', async () => {
    const list = await cluster.kube<StoredList<EventsV1Event>>(
      'GET',
      `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
    );
    return list.items.find(({ reason }) => reason === 'Completed');
  });
  expect(completed).toMatchObject({ type: 'Normal', note: '2/2 keys verified.' });
});
