import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aMigration, aSecret } from '#test/builders/objects.ts';
import { freePorts } from '#test/cluster/ports.ts';
import { aTextCanary, findCanary } from '#test/support/canary.ts';
import { OtlpReceiver, type ReceivedSpan } from '#test/support/otlp-receiver.ts';
import { kvData, pathOf } from '#test/support/queries.ts';
import { SilentServers } from '#test/support/silent-server.ts';
import { useStage } from '#test/support/stage.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend, plantFiles, tokenFolderOf } from '#test/support/token-files.ts';

const stage = useStage();

/** Its chunk of the bundle has this name. */
const SDK = /\/otlp-tracer-[^/]*\.js$/;
/** All that a span can be called: constants, methods, templates. */
const NAMES =
  /^(reconcile (secretmigration|secretbackend|clustersecretbackend)|directory [a-zA-Z]+|(GET|POST|PUT|PATCH|DELETE) \/(version|apis|(api|apis|v1)\/[a-z0-9./{}-]+))$/;
const ATTRIBUTES = [
  'error.type',
  'http.request.method',
  'http.response.status_code',
  'keyferry.controller',
  'keyferry.key',
  'keyferry.operation',
  'keyferry.reconcile_id',
  'server.address',
  'server.port',
  'url.template',
];

async function operatorWith(environment: Readonly<Record<string, string>>): Promise<void> {
  await stage().restartOperator(environment);
}

async function aMovedSecret(name = 'db'): Promise<Tenant> {
  const tenant = await stage().tenant();
  await tenant.apply(aSecret(name, { password: 'p-1' }));
  await tenant.apply(aMigration('out', { sourcePolicy: 'Delete' }));
  await tenant.untilReady('out');
  expect(await kvData(tenant, pathOf(tenant, name))).toEqual({ password: 'p-1' });
  return tenant;
}

/** Asks the operator to end, which has a second for what is not sent, and its grace for the rest. */
async function stopInTime(): Promise<void> {
  const began = performance.now();
  expect(await stage().operator.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - began).toBeLessThan(10_000);
}

/** Names of the files of the bundle that an operator loads while it moves a Secret. */
async function filesLoaded(environment: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-coverage-'));
  try {
    await operatorWith({ ...environment, NODE_V8_COVERAGE: folder });
    await aMovedSecret();
    await stopInTime();
    return readdirSync(folder).flatMap((file) => {
      const coverage: { result: { url: string }[] } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
      return coverage.result.map(({ url }) => url).filter((url) => url.includes('/dist/'));
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('traces', () => {
  it('have a span for each reconcile, and in it one for each request and for each operation on files', async () => {
    await using collector = await OtlpReceiver.start();
    await operatorWith({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    const tenant = await aMovedSecret('a-name-of-a-secret');
    plantFiles(tokenFolderOf(tenant.cluster, tenant.namespace), { 'a-name-of-a-file': 'f-1' });
    await tenant.apply(aDirectoryBackend());
    await tenant.apply(aMigration('files', { from: 'files', select: { all: true }, sourcePolicy: 'Backup' }));
    await tenant.untilReady('files');
    await stopInTime();

    const roots = collector.spans.filter(({ parentSpanId }) => parentSpanId === undefined);
    const moves = roots.filter(({ attributes }) => attributes['keyferry.key'] === `${tenant.namespace}/out`);
    expect(roots.every(({ name }) => name.startsWith('reconcile '))).toBe(true);
    const within = childrenOf(moves, collector.spans);
    expect(within.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'POST /v1/{mount}/data/{path}',
        'GET /v1/{mount}/data/{path}',
        'DELETE /api/v1/namespaces/{namespace}/secrets/{name}',
        'PATCH /apis/keyferry.io/v1alpha1/namespaces/{namespace}/secretmigrations/{name}/status',
      ]),
    );
    expect(within.every(({ kind }) => kind === 3)).toBe(true);
    const write = within.find(({ name }) => name === 'POST /v1/{mount}/data/{path}');
    expect(write?.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'keyferry.operation': 'openbao.write',
    });
    const ids = moves.map(({ attributes }) => String(attributes['keyferry.reconcile_id']));
    expect(ids.some((id) => stage().operator.logs().includes(`"reconcileID":"${id}"`))).toBe(true);
    expect(collector.spans.map(({ name }) => name)).toContain('directory retire');
    expectBounded(collector, [tenant.mount, 'a-name-of-a-secret', 'a-name-of-a-file']);
  });

  it('never have a value, whatever becomes of it', async () => {
    await using collector = await OtlpReceiver.start();
    await operatorWith({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    const tenant = await stage().tenant();
    const canary = aTextCanary('a value that is refused');
    const value = canary.bytes.toString('utf8');
    await tenant.apply(aSecret('db', { value }));
    const path = new RegExp(`^/v1/${tenant.mount}/data/`);
    const body = { errors: [value], data: { value } };
    stage().bao.onRequest({ method: 'POST', path }, { kind: 'status', code: 400, body });
    await tenant.apply(aMigration('out'));
    await tenant.untilReady('out', { status: 'False', reason: 'PartiallyFailed' });
    await stopInTime();
    const refused = collector.spans.filter(({ attributes }) => attributes['error.type'] === '400');
    expect(refused.map(({ name }) => name)).toContain('POST /v1/{mount}/data/{path}');
    expect(findCanary(canary, collector.bytes)).toEqual([]);
  });
});

describe('a collector that', () => {
  it('is away or silent delays no migration and no end', async () => {
    await using silent = await SilentServers.open(1);
    const [closedPort = 0] = await freePorts(1);
    const silentUrl = silent.addresses.map((url) => url.replace('https', 'http'));
    for (const endpoint of [...silentUrl, `http://127.0.0.1:${closedPort}`]) {
      await operatorWith({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
      await aMovedSecret();
      expect(await stage().operator.metrics()).toContain('keyferry_trace_spans_total{result="exported"} 0');
      await stopInTime();
    }
    expect(silent.connections).toBeGreaterThan(0);
  });

  it('is not configured gets nothing, and its part of the program is not loaded', async () => {
    const without = await filesLoaded({});
    expect(without.filter((file) => SDK.test(file))).toEqual([]);
    expect(without.length).toBeGreaterThan(0);
    expect(stage().operator.logs()).not.toContain('traces');

    await using collector = await OtlpReceiver.start();
    const loaded = await filesLoaded({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    expect(loaded.filter((file) => SDK.test(file))).toHaveLength(1);
  });
});

function childrenOf(
  parents: readonly ReceivedSpan[],
  spans: readonly ReceivedSpan[],
): readonly ReceivedSpan[] {
  const traces = new Map(parents.map(({ spanId, traceId }) => [spanId, traceId]));
  return spans.filter(({ parentSpanId = '', traceId }) => traces.get(parentSpanId) === traceId);
}

function expectBounded(collector: OtlpReceiver, absent: readonly string[]): void {
  const { bytes, spans } = collector;
  expect(spans.map(({ name }) => name).filter((name) => !NAMES.test(name))).toEqual([]);
  const attributes = new Set(spans.flatMap((span) => Object.keys(span.attributes)));
  expect([...attributes].filter((name) => !ATTRIBUTES.includes(name))).toEqual([]);
  expect(absent.filter((text) => bytes.includes(text))).toEqual([]);
}
