/**
 * Malformed requests to every operation of the OpenAPI document: no answer is an internal error, has an undocumented
 * form or holds a secret, and the log stays intact.
 *
 * @module
 */
import process from 'node:process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { base64, utf8 } from '../../../core/bytes.ts'
import { ERROR_CODES } from '../../../core/errors.ts'
import { Redacted } from '../../../core/redacted.ts'
import { leafHash } from '../../../core/tlog/merkle.ts'
import * as wire from '../../../core/wire/index.ts'
import { Learned } from '../../fuzz/learned.ts'
import { contract, type FuzzedRequest, operations, requests } from '../../fuzz/requests.ts'
import { canary, leaks } from '../../support/canary.ts'
import { openApp, type TestApp } from './provider_access/provider_access_fixture.ts'

/** The number of sequences of requests, each to its own vault. `FUZZ_RUNS` and `FUZZ_SEED` override it. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 40)
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31)
/** The number of requests in a sequence, and of those in flight at once. */
const LENGTH = 50
const AT_ONCE = 25

interface Bench extends TestApp {
  /** Sends a request; `null` if no client could send it. */
  try(
    request: FuzzedRequest,
    as: 'admin' | 'reader',
  ): Promise<{ status: number; headers: Headers; text: string } | null>
}

async function open(secret: string): Promise<Bench> {
  const bench = await openApp(null, { environment: { POSTERN_SECURITY__REFUSAL_RATE: 'none' } })
  const { admin } = bench
  await admin.put('prod/db', new Redacted('{"a":{"b":"c"}}'))
  await admin.put('open/a', new Redacted('open'))
  await admin.put('prod/canary', new Redacted(secret))
  await admin.putPrincipal('reader', { kind: 'user' })
  await admin.putRule('rule', { effect: 'permit', principal: 'reader', actions: ['read'], resource: 'open/*' })
  await admin.putHook('hook', { url: 'https://hooks.example/x' })
  const token = (await admin.createToken({ principal: 'reader' })).token.reveal()
  const tokens = { admin: bench.token.reveal(), reader: token }
  const learned = new Learned()
  return {
    ...bench,
    async try({ method, path, headers, body: unfilled }, as) {
      const body = unfilled === null ? null : learned.fill(unfilled)
      const sent = new Headers({ Authorization: `Bearer ${tokens[as]}` })
      let request: Request
      try {
        for (const [name, value] of headers) sent.append(name, value)
        request = new Request(`http://127.0.0.1${learned.fill(path)}`, {
          method,
          headers: sent,
          ...(body !== null && { body }),
        })
      } catch {
        return null
      }
      const response = await bench.answer(request)
      const text = await response.text()
      if (response.ok && response.headers.get('Content-Type')?.startsWith('application/json'))
        learned.note(JSON.parse(text))
      return { status: response.status, headers: response.headers, text }
    },
  }
}

/** The flaws of an answer to any request. */
function wrongWith({ status, headers, text }: { status: number; headers: Headers; text: string }): string | null {
  if (headers.get('Cache-Control') !== 'no-store' || headers.get('X-Content-Type-Options') !== 'nosniff') {
    return 'Headers are missing'
  }
  if (status < 400) return null
  if (status >= 500 && status !== 503) return `Answer is ${status}`
  if (headers.get('Content-Type') !== 'application/problem+json') return 'Error is not a problem document'
  const parsed = wire.Problem.safeParse(JSON.parse(text))
  if (!parsed.success) return 'Problem has another shape'
  const { code, status: said } = parsed.data
  return said === status && (ERROR_CODES as readonly string[]).includes(code) ? null : 'Problem says something else'
}

describe('bad input', () => {
  it('is sent to every route', () => {
    expect(operations.length).toBeGreaterThan(60)
    const seen = new Set(fc.sample(requests('x'), { numRuns: 3000, seed: 1 }).map(({ operation }) => operation))
    expect(operations.filter(({ operation }) => !seen.has(operation.operationId))).toEqual([])
    expect(Object.keys(contract.paths)).toContain('/v1/vaults/{vault}/secrets/{name}')
  })

  it.each(['admin', 'reader'] as const)(
    'rows 10, 12, 44: ends in no failure, leak or broken log when %s sends it',
    { timeout: 600_000 },
    async (as) => {
      const stray = canary()
      const secret = canary()
      const seen: Record<number, number> = {}
      let sent = 0
      const sequences = fc.array(requests(stray), { minLength: LENGTH, maxLength: LENGTH })
      const property = fc.asyncProperty(sequences, async (sequence) => {
        const bench = await open(secret)
        const answers: Awaited<ReturnType<Bench['try']>>[] = []
        for (let at = 0; at < sequence.length; at += AT_ONCE) {
          const together = sequence.slice(at, at + AT_ONCE)
          answers.push(...(await Promise.all(together.map((request) => bench.try(request, as)))))
        }
        for (const answer of answers) {
          if (answer === null) continue
          sent++
          seen[answer.status] = (seen[answer.status] ?? 0) + 1
          expect(wrongWith(answer)).toBeNull()
          const shown = `${JSON.stringify([...answer.headers])}${answer.text}`
          // A granted answer may echo the client's input; an administrator may read the value.
          expect(leaks(shown, [...(answer.status < 400 ? [] : [stray]), ...(as === 'admin' ? [] : [secret])])).toEqual(
            [],
          )
        }
        // Not by the API: the administrator may have locked itself out.
        const bodies = bench.sql
          .all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n')
          .map(({ body }) => Buffer.from(body).toString())
        bodies.forEach((body, i) => {
          const previous = i === 0 ? null : base64(leafHash(utf8(bodies[i - 1]!)))
          expect(JSON.parse(body)).toMatchObject({ index: i, previous })
        })
        expect(leaks(bodies.join('\n'), [secret])).toEqual([])
      })
      process.stdout.write(`\nbad input as ${as}: FUZZ_SEED=${SEED}\n`)
      await fc.assert(property, { numRuns: RUNS, seed: SEED })
      process.stdout.write(`${sent} requests: ${JSON.stringify(seen)}\n`)
      // This would also hold if all requests were refused at once.
      expect(seen[200]).toBeGreaterThan(0)
      expect(seen[400]).toBeGreaterThan(0)
    },
  )
})
