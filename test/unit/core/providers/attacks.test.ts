/** What a store, or an attacker in its place, may answer: every fault through every adapter. */
import { afterEach, describe, expect, it } from 'vitest'
import { type FailureKind, type Provider, ProviderFailure } from '../../../../core/providers/provider.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { leaks } from '../../../support/canary.ts'
import { ADAPTERS, type Adapter, type Answer, json, SECRETS } from './adapters_fixture.ts'

const failures: ProviderFailure[] = []
afterEach(() => {
  const said = failures
    .splice(0)
    .map((failure) => `${failure.stack} ${JSON.stringify(failure)} ${String(failure.cause)}`)
  expect(leaks(said.join('\n'), SECRETS)).toEqual([])
})

async function failureOf(promise: Promise<unknown>): Promise<ProviderFailure> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(ProviderFailure)
  failures.push(outcome as ProviderFailure)
  return outcome as ProviderFailure
}

const read = (provider: Provider) => provider.get('prod-db', { signal: AbortSignal.timeout(10_000) })
const html = (status: number) =>
  new Response(`<html>${SECRETS[2]}</html>`, { status, headers: { 'content-type': 'text/html' } })

function broken(): Response {
  const start = new TextEncoder().encode('{"SecretString":"')
  let pulled = false
  const body = new ReadableStream({
    pull(controller) {
      if (pulled) controller.error(new TypeError(`cut after ${SECRETS[2]}`))
      else controller.enqueue(start)
      pulled = true
    },
  })
  return new Response(body, { status: 200 })
}

function endless(): { response: Response; sent: () => number } {
  let sent = 0
  const body = new ReadableStream({
    pull(controller) {
      sent += 65_536
      controller.enqueue(new Uint8Array(65_536).fill(32))
    },
  })
  return { response: new Response(body, { status: 200 }), sent: () => sent }
}

describe.each(ADAPTERS)('$kind', (adapter: Adapter) => {
  const faults: [string, FailureKind, Answer][] = [
    ['is refused', 'unavailable', () => Promise.reject(new TypeError(`fetch failed ${SECRETS[2]}`))],
    ['is denied', 'denied', () => json(adapter.words.denied)],
    ['has no such secret', 'not_found', () => json(adapter.words.not_found)],
    ['does not take the request', 'invalid', () => json(adapter.words.invalid)],
    ['does not take the credentials', 'credentials', () => json(adapter.words.credentials)],
    ['is throttled', 'throttled', () => json(adapter.words.throttled)],
    ['fails', 'unavailable', () => json(adapter.words.unavailable)],
    ['fails in HTML', 'unavailable', () => html(503)],
    ['is throttled by a proxy', 'throttled', () => html(429)],
    ['is denied by a proxy', 'unavailable', () => html(403)],
    ['is not found by a proxy', 'unavailable', () => html(404)],
    ['meets a captive portal', 'unavailable', () => html(200)],
    ['answers nothing', 'unavailable', () => new Response(null, { status: 200 })],
    ['answers other JSON', 'invalid', () => json({ status: 200, body: { other: SECRETS[2] } })],
    ['answers JSON that is an array', 'invalid', () => json({ status: 200, body: [SECRETS[2]] })],
    ['answers with invalid UTF-8', 'unavailable', () => new Response(Uint8Array.of(34, 255, 34), { status: 200 })],
    ['answers JSON too deep to read', 'unavailable', () => new Response('['.repeat(500_000), { status: 200 })],
    ['is cut off', 'unavailable', broken],
  ]

  it.each(faults)('row 18: a read that %s ends as %s', async (_, kind, answer) => {
    expect((await failureOf(read(adapter.open(answer)))).kind).toBe(kind)
  })

  it('times out without an answer', async () => {
    const never: Answer = (request) =>
      new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason)))
    expect((await failureOf(read(adapter.open(never, { timeoutMs: 30 })))).kind).toBe('timeout')
  })

  it('stops reading an oversized answer', async () => {
    const { response, sent } = endless()
    const failed = await failureOf(read(adapter.open(() => response)))
    expect([failed.kind, failed.code, failed.isUnread]).toEqual(['invalid', 'TooLarge', true])
    expect(failed.limitBytes).toBeGreaterThanOrEqual(1024 * 1024)
    expect(sent()).toBeLessThan(10 * 1024 * 1024)
  })

  it.each([
    ['7', 7_000],
    ['0', 0],
    ['9999999', 60_000],
    [new Date(1_000_030_000).toUTCString(), 30_000],
    [new Date(999_000_000).toUTCString(), 0],
    ['soon', null],
    ['-1', null],
  ])('honours Retry-After: %s up to a minute', async (text, ms) => {
    const { status, body } = adapter.words.throttled
    const provider = adapter.open(() => json({ status, body, headers: { 'retry-after': text } }), {
      now: () => 1_000_000_000,
    })
    const failure = await failureOf(read(provider))
    expect(failure.retryAfterMs).toBe(ms)
  })

  it('has no Retry-After without the header', async () => {
    expect((await failureOf(read(adapter.open(() => json(adapter.words.throttled))))).retryAfterMs).toBeNull()
  })

  it.each([301, 302, 303, 307, 308])('row 15: does not follow a redirect (%i)', async (status) => {
    const asked: string[] = []
    const modes = new Set<string>()
    const provider = adapter.open((request) => {
      asked.push(new URL(request.url).origin)
      modes.add(request.redirect)
      return new Response(null, { status, headers: { location: 'https://evil.example/' } })
    })
    const failure = await failureOf(read(provider))
    expect([failure.kind, failure.code, failure.isOutage]).toEqual(['unavailable', 'Redirect', true])
    expect(new Set(asked)).toEqual(new Set([adapter.origin]))
    const signal = AbortSignal.timeout(10_000)
    const value = new Redacted(new TextEncoder().encode(SECRETS[2]))
    for (const other of [
      provider.put('prod-db', value, { signal, idempotencyKey: 'k'.repeat(32) }),
      provider.remove('prod-db', { signal }),
      provider.list({ prefix: '', cursor: null, limit: 5, signal }),
      provider.health({ signal }),
    ]) {
      const { kind } = await failureOf(other)
      expect(kind).not.toBe('denied')
    }
    expect(new Set(asked)).toEqual(new Set([adapter.origin]))
    expect([...modes]).toEqual(['manual'])
  })

  it('sends one request, to its own store, with its secrets in headers only', async () => {
    const asked: Request[] = []
    const provider = adapter.open((request) => {
      asked.push(request)
      return json(adapter.secret)
    })
    const secret = await read(provider)
    expect(Buffer.from(secret.value.reveal()).toString()).toBe(SECRETS[2])
    expect(asked.map(({ url }) => new URL(url).origin)).toEqual([adapter.origin])
    expect(leaks(`${asked[0]?.url} ${await asked[0]?.text()}`, SECRETS)).toEqual([])
    expect(leaks(JSON.stringify(secret), SECRETS)).toEqual([])
  })

  it.each(['../sys/seal', '..', 'a//b', 'a/../../b', '%2e%2e/x', 'a%2fb', 'a\r\nX: y', 'a\0', '', 'a\u00a0b'])(
    'rows 9, 11: sends no request for the name %j',
    async (name) => {
      // AWS has no paths: two periods are two characters of a name, which goes into the body.
      if (adapter.kind === 'aws' && /^[./a-z]+$/.test(name)) return
      let asked = 0
      const provider = adapter.open(() => {
        asked++
        return json(adapter.secret)
      })
      const failure = await failureOf(provider.get(name, { signal: AbortSignal.timeout(1000) }))
      expect([failure.kind, asked]).toEqual(['invalid', 0])
    },
  )

  it('distinguishes an outage from an answer', async () => {
    for (const [kind, reply] of Object.entries(adapter.words)) {
      const { isOutage } = await failureOf(read(adapter.open(() => json(reply))))
      expect([kind, isOutage]).toEqual([kind, kind === 'throttled' || kind === 'unavailable'])
    }
  })

  it('is healthy when its health name is absent, and not when that name is denied', async () => {
    const health = (answer: Answer) => adapter.open(answer).health({ signal: AbortSignal.timeout(1000) })
    await expect(health(() => json(adapter.words.not_found))).resolves.toBeUndefined()
    for (const kind of ['denied', 'unavailable', 'credentials'] as const) {
      expect((await failureOf(health(() => json(adapter.words[kind])))).kind).toBe(kind)
    }
  })
})
