/** Metrics, `Server-Timing` and traces of requests; none of them names a secret. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { parseTraceparent } from '../../../../core/http/trace_context.ts'
import { HttpProvider } from '../../../../core/providers/http/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { createApp } from '../../../../worker/app.ts'
import { Tracer } from '../../../../worker/telemetry/otlp.ts'
import { RequestTiming } from '../../../../worker/telemetry/request_timing.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { expectExposition, samplesOf } from '../../../support/exposition.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { expectOtlp, type OtlpSpan } from '../../../support/otlp_shape.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const NAME = 'canary/name'
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A server that keeps the requests that it receives. */
async function listen(status = 200, answer = '{}') {
  const received: { headers: NodeJS.Dict<string | string[]>; body: string }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      received.push({ headers: request.headers, body })
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function open(environment: Record<string, string>, providers: Parameters<typeof openApp>[0] = {}) {
  const fixture = await openApp(providers, { environment })
  const processFacts = { residentBytes: () => 123_456_789, startedAt: 1_700_000_000_000 }
  const app = createApp(fixture.services, { processFacts })
  const send = async (path: string, headers: Record<string, string> = {}) => {
    const given = { Authorization: `Bearer ${fixture.token.reveal()}`, ...headers }
    return app.fetch(new Request(`http://127.0.0.1${path}`, { headers: given }), { address: '127.0.0.1' })
  }
  return { ...fixture, send, metrics: async () => (await send('/metrics')).text() }
}

const spansOf = (body: string): OtlpSpan[] => {
  const parsed = JSON.parse(body)
  expectOtlp(parsed)
  return parsed.resourceSpans[0].scopeSpans[0].spans
}

describe('metrics', () => {
  it('row 44: count requests by operation and outcome, in a valid exposition without names', async () => {
    const { admin, send, secret, metrics } = await open({ POSTERN_METRICS: 'true' })
    const value = canary()
    await admin.put(NAME, new Redacted(value))
    await send(secret(NAME))
    await send(secret(NAME))
    await send(secret('canary/none'))
    await send(secret(NAME), { Authorization: 'Bearer nothing' })
    await send('/nowhere')
    const text = await metrics()
    expectExposition(text)
    const samples = samplesOf(text)
    expect(samples.get('postern_requests_total{operation="readSecret",outcome="ok"}')).toBe(2)
    expect(samples.get('postern_requests_total{operation="readSecret",outcome="not_found"}')).toBe(1)
    expect(samples.get('postern_requests_total{operation="readSecret",outcome="unauthenticated"}')).toBe(1)
    expect(samples.get('postern_requests_total{operation="none",outcome="not_found"}')).toBe(1)
    expect(samples.get('postern_request_duration_seconds_count{operation="readSecret"}')).toBe(4)
    expect(samples.get('postern_request_phase_seconds_count{phase="open"}')).toBe(2)
    expect(samples.get('postern_request_phase_seconds_count{phase="identify"}')).toBe(5)
    expect(samples.get('postern_transaction_calls_count')).toBe(
      samples.get('postern_transaction_duration_seconds_count'),
    )
    expect(samples.get('process_resident_memory_bytes')).toBe(123_456_789)
    expect(text).not.toMatch(/canary|default|admin/)
    expect(leaks(text, [value])).toEqual([])
  })

  it('are not kept unless settings ask for them', async () => {
    const { services, send, secret } = await open({})
    expect([services.requestCounters, services.tracer]).toEqual([null, null])
    expect((await send('/metrics')).status).toBe(404)
    expect((await send(secret('a'))).headers.has('Server-Timing')).toBe(false)
  })
})

describe('Server-Timing', () => {
  it('is in whole milliseconds on successful answers of a vault, and on no others', async () => {
    const { admin, send, secret } = await open({ POSTERN_SERVER_TIMING: 'true' })
    await admin.put(NAME, new Redacted('x'))
    const timing = (await send(secret(NAME))).headers.get('Server-Timing')
    expect(timing).toMatch(/^identify;dur=\d+, vault;dur=\d+, open;dur=\d+, total;dur=\d+$/)
    for (const [path, headers] of [
      [secret('none'), {}],
      [secret(NAME), { Authorization: 'Bearer nothing' }],
      ['/healthz', {}],
    ] as const) {
      expect([path, (await send(path, headers)).headers.has('Server-Timing')]).toEqual([path, false])
    }
  })
})

describe('traces', () => {
  it("row 44: have a span of the request below the client's span, a span of each phase, and no name", async () => {
    const collector = await listen()
    const { admin, send, secret, services, token } = await open({
      POSTERN_TRACES__URL: `${collector.url}/v1/traces`,
      POSTERN_TRACES__TOKEN: 'canary-token',
    })
    const value = canary()
    await admin.put(NAME, new Redacted(value))
    await services.tracer!.flush()
    collector.received.length = 0
    await send(secret(NAME), { traceparent: PARENT })
    await send(secret('canary/none'))
    await services.tracer!.flush()
    const [{ headers, body }] = collector.received as [{ headers: { authorization: string }; body: string }]
    expect(headers.authorization).toBe('Bearer canary-token')
    expect(body).not.toMatch(/canary|"default"|127\.0\.0\.1/)
    expect(leaks(body, [value, token.reveal()])).toEqual([])
    const spans = spansOf(body)
    const request = spans.find(({ name }) => name === 'GET /v1/vaults/{vault}/secrets/{name}')!
    expect(request).toMatchObject({
      ...{ traceId: '0af7651916cd43dd8448eb211c80319c', parentSpanId: 'b7ad6b7169203331', kind: 2 },
    })
    const below = spans.filter(({ parentSpanId }) => parentSpanId === request.spanId)
    expect(below.map(({ name }) => name)).toEqual(['identify', 'vault', 'open'])
    for (const { startTimeUnixNano, endTimeUnixNano } of below) {
      expect(BigInt(startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(request.startTimeUnixNano))
      expect(BigInt(endTimeUnixNano)).toBeLessThanOrEqual(BigInt(request.endTimeUnixNano))
    }
    const failed = spans.filter(({ attributes }) => attributes.some(({ key }) => key === 'error.type'))
    expect(failed.map(({ attributes }) => attributes.at(-1)!.value)).toEqual([{ stringValue: 'not_found' }])
    expect(services.tracer!.counts.dropped).toBe(0)
  })

  it("leave out requests that the client opted out and strangers, and continue at the operator's store", async () => {
    const collector = await listen()
    const store = await listen(200, JSON.stringify({ value: 'there' }))
    const provider = new HttpProvider(
      { url: `${store.url}/{name}`, headers: {}, pointer: '/value' },
      { allowLoopback: true },
    )
    const aws = memoryProvider('aws')
    const { admin, send, secret, services } = await open(
      { POSTERN_TRACES__URL: collector.url },
      { http: { provider }, aws },
    )
    await admin.putChain('c', { resource: 'canary/*', members: [{ provider: 'http' }] })
    await services.tracer!.flush()
    collector.received.length = 0
    await send(secret(NAME), { traceparent: `${PARENT.slice(0, -2)}00` })
    await send(secret(NAME), { Authorization: 'Bearer nothing' })
    await services.tracer!.flush()
    expect(collector.received).toEqual([])
    expect((await send(secret(NAME), { traceparent: PARENT })).status).toBe(200)
    await services.tracer!.flush()
    const spans = spansOf(collector.received[0]!.body)
    const asked = spans.find(({ name }) => name === 'provider')!
    expect(asked.kind).toBe(3)
    expect(parseTraceparent(store.received.at(-1)!.headers.traceparent as string)).toEqual({
      ...{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: asked.spanId, sampled: true },
    })
  })

  it('are dropped and counted when the collector refuses them, and no request fails', async () => {
    const refusing = await listen(503)
    const { send, secret, services, metrics } = await open({
      ...{ POSTERN_TRACES__URL: refusing.url, POSTERN_METRICS: 'true' },
    })
    const { status } = await send(secret('none'))
    await services.tracer!.flush()
    expect([status, services.tracer!.counts.exported]).toEqual([404, 0])
    const dropped = services.tracer!.counts.dropped
    expect(dropped).toBeGreaterThan(0)
    expect(samplesOf(await metrics()).get('postern_trace_spans_total{outcome="dropped"}')).toBe(dropped)
  })

  it('wait in a bounded queue, are sent in batches, and are counted when the queue is full', async () => {
    const collector = await listen()
    const tracer = new Tracer(
      { traces: { url: collector.url, samplePercent: 100 }, appName: 'test' },
      { allowLoopback: true },
    )
    for (let i = 0; i < 5000; i++) {
      const timing = new RequestTiming(tracer.begin(undefined))
      tracer.end({ route: null, method: 'GET', status: 200, outcome: 'ok', timing, durationMs: 1 }, undefined)
    }
    expect(tracer.counts.dropped).toBe(5000 - 4096)
    await tracer.flush()
    const sizes = collector.received.map(({ body }) => spansOf(body).length)
    expect([tracer.counts.exported, Math.max(...sizes)]).toEqual([4096, 512])
  })

  it('are sampled by their id, the same wherever', () => {
    const tracer = new Tracer({ traces: { url: 'http://127.0.0.1', samplePercent: 50 }, appName: 'test' }, {})
    const sampled = (tail: string) => tracer.begin(`00-${'1'.repeat(24)}${tail}-${'2'.repeat(16)}-01`).sampled
    expect([sampled('7fffffff'), sampled('80000000')]).toEqual([true, false])
  })

  it('read traceparent strictly', () => {
    expect(parseTraceparent(PARENT)).toMatchObject({ sampled: true })
    // A later version is read as far as this one goes.
    expect(parseTraceparent(`cc${PARENT.slice(2)}-more`)).toMatchObject({ sampled: true })
    const wrong = [
      ...[
        undefined,
        '',
        PARENT.toUpperCase(),
        ` ${PARENT}`,
        `${PARENT}-more`,
        `ff${PARENT.slice(2)}`,
        PARENT.slice(0, -1),
      ],
      ...[`00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`],
    ]
    for (const text of wrong) expect([text, parseTraceparent(text)]).toEqual([text, null])
  })
})
