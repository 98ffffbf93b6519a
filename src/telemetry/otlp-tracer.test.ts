import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { ManualClock } from '#test/support/manual-clock.ts';
import { OtlpReceiver, type ReceivedSpan } from '#test/support/otlp-receiver.ts';
import { RecordedLog, RecordedMetrics } from '#test/support/recorded.ts';
import { SilentServers } from '#test/support/silent-server.ts';
import { OtlpTracer } from './otlp-tracer.ts';

const RECONCILE = { name: 'reconcile x', attributes: { 'keyferry.key': 'ns/a' } };
const REQUEST = { name: 'GET /v1/{mount}/data/{path}', attributes: { 'http.request.method': 'GET' } };

let clock: ManualClock;
let log: RecordedLog;
let metrics: RecordedMetrics;

beforeEach(() => {
  clock = new ManualClock();
  log = new RecordedLog();
  metrics = new RecordedMetrics();
});

function aTracer(endpoint: string, samplePercent = 100): OtlpTracer {
  return new OtlpTracer({
    endpoint,
    samplePercent,
    version: '1.2.3',
    instance: 'pod-a',
    clock,
    logger: log,
    metrics,
  });
}

const spansThat = (result: string): number | undefined =>
  metrics.value('keyferry_trace_spans_total', { result });

describe('the tracer, with a collector', () => {
  let collector: OtlpReceiver;

  beforeEach(async () => {
    collector = await OtlpReceiver.start();
  });

  afterEach(async () => collector[Symbol.asyncDispose]());

  const named = (name: string): ReceivedSpan | undefined =>
    collector.spans.find((span) => span.name === name);

  it('sends a reconcile as the parent of its requests, also of those in work that runs at the same time', async () => {
    await using tracer = aTracer(collector.url);
    const reconcile = async (key: string): Promise<void> =>
      tracer.trace({ name: `reconcile ${key}`, attributes: {} }, async () => {
        await Promise.resolve();
        const span = tracer.begin(() => ({ ...REQUEST, name: `GET ${key}` }));
        await Promise.resolve();
        span.end({ attributes: { 'http.response.status_code': 200 } });
      });
    await Promise.all([reconcile('a'), reconcile('b')]);
    await tracer[Symbol.asyncDispose]();

    for (const key of ['a', 'b']) {
      const root = named(`reconcile ${key}`);
      expect(root).toMatchObject({ kind: 1 });
      expect(root?.parentSpanId).toBeUndefined();
      const { traceId, spanId } = root ?? {};
      expect(named(`GET ${key}`)).toMatchObject({ traceId, parentSpanId: spanId, kind: 3 });
    }
    expect(named('reconcile a')?.traceId).not.toBe(named('reconcile b')?.traceId);
    expect(collector.resource).toMatchObject({
      'service.name': 'keyferry',
      'service.version': '1.2.3',
      'service.instance.id': 'pod-a',
    });
    expect(collector.heads[0]).toMatch(/^POST \/v1\/traces .*keyferry\/1\.2\.3/);
    expect(spansThat('exported')).toBe(4);
  });

  it('names the code of what failed, and passes it on', async () => {
    await using tracer = aTracer(collector.url);
    const failure = new OperatorError('VERSION_CONFLICT', { op: 'x', detail: 'canary-7f3a' });
    const work = tracer.trace(RECONCILE, async () => Promise.reject(failure));
    await expect(work).rejects.toBe(failure);
    await tracer[Symbol.asyncDispose]();
    expect(named('reconcile x')).toMatchObject({
      attributes: { 'error.type': 'VERSION_CONFLICT', 'keyferry.key': 'ns/a' },
      status: { code: 2 },
    });
    expect(collector.bytes.includes('canary-7f3a')).toBe(false);
  });

  it('records no request outside of a reconcile, such as one of a timer that outlives it', async () => {
    await using tracer = aTracer(collector.url);
    const later = Promise.withResolvers<void>();
    let renewal: Promise<void> | undefined;
    await tracer.trace(RECONCILE, async () => {
      renewal = later.promise.then(() => tracer.begin(() => REQUEST).end());
      return Promise.resolve();
    });
    tracer.begin(() => REQUEST).end();
    later.resolve();
    await renewal;
    await tracer[Symbol.asyncDispose]();
    expect(collector.spans.map(({ name }) => name)).toEqual(['reconcile x']);
  });

  it('cuts a long attribute', async () => {
    await using tracer = aTracer(collector.url);
    await tracer.trace({ name: 'x', attributes: { key: 'k'.repeat(5_000) } }, async () => Promise.resolve());
    await tracer[Symbol.asyncDispose]();
    expect(named('x')?.attributes['key']).toBe('k'.repeat(512));
  });

  it('traces the chosen part of the reconciles, each whole', async () => {
    await using tracer = aTracer(collector.url, 30);
    for (let index = 0; index < 200; index += 1)
      await tracer.trace(RECONCILE, async () => Promise.resolve(tracer.begin(() => REQUEST).end()));
    await tracer[Symbol.asyncDispose]();
    const count = (name: string): number => collector.spans.filter((span) => span.name === name).length;
    expect(count(RECONCILE.name)).toBeGreaterThan(20);
    expect(count(RECONCILE.name)).toBeLessThan(110);
    expect(count(REQUEST.name)).toBe(count(RECONCILE.name));
  });
});

describe('the tracer, without a collector that answers', () => {
  it('keeps a bounded number of spans, counts the others, and ends a second after it is asked to', async () => {
    await using silent = await SilentServers.open(1);
    const tracer = aTracer((silent.addresses[0] ?? '').replace('https', 'http'));
    await tracer.trace(RECONCILE, async () => manySpans(tracer, 10_000));
    // One batch is on its way.
    expect(spansThat('dropped')).toBe(10_001 - 2_048 - 512);
    const ended = tracer[Symbol.asyncDispose]();
    await clock.advance(1_000);
    await ended;
    expect(spansThat('exported')).toBe(0);
  });

  it('tells once a minute that traces are refused: the status, and no text of the reply', async () => {
    await using collector = await OtlpReceiver.start(400, '{"message":"canary-91c2"}');
    const tracer = aTracer(collector.url);
    await expect(tracer.trace(RECONCILE, async () => manySpans(tracer, 600))).resolves.toBe(7);
    await tracer.trace(RECONCILE, async () => Promise.resolve());
    await tracer[Symbol.asyncDispose]();
    expect(spansThat('failed')).toBe(602);
    expect(log.lines.map(({ level, message, fields }) => [level, message, fields['code']])).toEqual([
      ['warn', 'traces were not sent', '400'],
    ]);
    expect(JSON.stringify(log.lines)).not.toContain('canary-91c2');
  });
});

async function manySpans(tracer: OtlpTracer, count: number): Promise<number> {
  for (let index = 0; index < count; index += 1) tracer.begin(() => REQUEST).end();
  return Promise.resolve(7);
}
