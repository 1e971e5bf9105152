/**
 * Signing in with assertions over HTTP: what the client learns, what the operator learns, and when to come again.
 *
 * @module
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type * as z from 'zod/mini'
import type { PutIssuer } from '../../../../core/wire/index.ts'
import { canary, leaks } from '../../../support/canary.ts'
import { jwkOf, KEYS, type Part, rsa, type Signer, tokenWith } from '../../core/authentication/issuer_fixture.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const VAULT = '/v1/vaults/default'
const PRIVATE = canary()

type Trust = Partial<z.input<typeof PutIssuer>>

/** An issuer on loopback: what it answers, and how often it was asked. */
interface Site {
  url: string
  keys: unknown[]
  status: number
  requests: number
  server: Server
}

async function openSite(): Promise<Site> {
  const server = createServer((request, response) => {
    site.requests++
    const isMetadata = request.url!.startsWith('/.well-known/')
    const body = isMetadata ? { issuer: site.url, jwks_uri: `${site.url}/jwks` } : { keys: site.keys }
    response.writeHead(site.status).end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const site: Site = { url, keys: KEYS, status: 200, requests: 0, server }
  return site
}

describe('a sign-in with an assertion', () => {
  let site: Site
  let lines: string[]

  beforeEach(async () => {
    site = await openSite()
    lines = []
    vi.spyOn(console, 'error').mockImplementation((line: string) => {
      lines.push(line)
    })
  })

  afterEach(() => {
    vi.restoreAllMocks()
    site.server.close()
  })

  /** The lines of the operational log about one request. */
  const loggedFor = (requestId: string | null) =>
    lines.map((line) => JSON.parse(line) as Part).filter((line) => line.requestId === requestId)

  async function open(trust: Trust = {}) {
    const bench = await openApp(null, {
      // A limit on refusals by address would hide the limit on lines.
      environment: { POSTERN_SECURITY__ALLOW_LOOPBACK_ISSUERS: 'true', POSTERN_SECURITY__REFUSAL_RATE: 'none' },
    })
    await bench.admin.putPrincipal('ci', { kind: 'service' })
    const put = (more: object, id = 'ci') =>
      bench.send(`${VAULT}/issuers/${id}`, {
        method: 'PUT',
        body: JSON.stringify({ issuer: site.url, audience: 'us', claims: { ref: ['main'] }, principal: 'ci', ...more }),
      })
    expect((await put(trust)).status).toBe(200)
    const exp = Math.floor(Date.now() / 1000) + 600
    const assertionOf = (claims: Part = {}, header: Part = {}, signer?: Signer) =>
      tokenWith({ iss: site.url, aud: 'us', sub: PRIVATE, ref: 'main', iat: exp - 900, exp, ...claims }, header, signer)
    const send = async (assertion: string) => {
      const headers = { 'Content-Type': 'application/json' }
      const body = JSON.stringify({ assertion })
      const response = await bench.answer(
        new Request(`http://127.0.0.1${VAULT}/sessions`, { method: 'POST', headers, body }),
      )
      const { requestId, auditIndex: _, ...answer } = (await response.json()) as Part
      const logged = loggedFor(response.headers.get('Request-Id') ?? String(requestId))
      return { status: response.status, headers: response.headers, answer, logged }
    }
    return {
      bench,
      put,
      assertionOf,
      signIn: (...about: Parameters<typeof assertionOf>) => send(assertionOf(...about)),
      send,
    }
  }

  it('names the flaw in the log under the ids of the request and the issuer, and answers with one body', async () => {
    const { signIn, send, put } = await open()
    await put({ audience: 'them', claims: { sub: ['x'], ref: ['main'] } }, 'other')
    const now = Math.floor(Date.now() / 1000)
    const cases: [string, Awaited<ReturnType<typeof signIn>>, Part[]][] = [
      [
        'audience',
        await signIn({ aud: 'other' }),
        [
          { issuer: 'ci', flaw: 'audience' },
          { issuer: 'other', flaw: 'audience' },
        ],
      ],
      [
        'claims',
        await signIn({ ref: PRIVATE }),
        [
          { issuer: 'ci', flaw: 'claims', claims: ['ref'] },
          { issuer: 'other', flaw: 'audience' },
        ],
      ],
      [
        'claims of another trust',
        await signIn({ aud: 'them', ref: 'dev' }),
        [
          { issuer: 'other', flaw: 'claims', claims: ['sub', 'ref'] },
          { issuer: 'ci', flaw: 'audience' },
        ],
      ],
      [
        'clock',
        await signIn({ exp: now - 5000 }),
        [
          { issuer: 'ci', flaw: 'assertion_expired', seconds: 5000 },
          { issuer: 'other', flaw: 'audience' },
        ],
      ],
      [
        'clock',
        await signIn({ nbf: now + 3000 }),
        [
          { issuer: 'ci', flaw: 'assertion_not_yet', seconds: 3000 },
          { issuer: 'other', flaw: 'audience' },
        ],
      ],
      [
        'signature',
        await signIn({}, {}, () => Buffer.alloc(256)),
        [
          { issuer: 'ci', flaw: 'signature' },
          { issuer: 'other', flaw: 'signature' },
        ],
      ],
      ['unknown issuer', await signIn({ iss: `${site.url}/` }), [{ flaw: 'issuer_unknown' }]],
      ['not a JWT', await send('$ID_TOKEN'), [{ flaw: 'issuer_unknown' }]],
    ]
    for (const [what, { logged }, expected] of cases) {
      const told = logged.map(({ time: _, level, event, vault, requestId: __, ...about }) => {
        expect([level, event, vault]).toEqual(['warn', 'assertion_refused', 'default'])
        const { seconds, ...rest } = about
        // A busy machine takes its time.
        return seconds === undefined ? rest : { ...rest, seconds: Math.round(Number(seconds) / 500) * 500 }
      })
      expect([what, told]).toEqual([what, expected])
    }
    expect(new Set(cases.map(([, { status, answer }]) => JSON.stringify([status, answer]))).size).toBe(1)
    expect(cases[0]![1].status).toBe(401)
    expect(leaks(lines.join('\n'), [PRIVATE])).toEqual([])
  })

  it('logs a token that was used already, and nothing for one that is accepted', async () => {
    const { send, assertionOf } = await open()
    const token = assertionOf()
    expect(await send(token)).toMatchObject({ status: 201, logged: [] })
    expect(await send(token)).toMatchObject({
      status: 401,
      logged: [{ event: 'assertion_refused', flaw: 'used_or_disabled' }],
    })
  })

  it('limits the lines that wrong tokens can cause', async () => {
    const { signIn } = await open()
    await Promise.all(Array.from({ length: 60 }, (_, i) => signIn({ aud: `other ${i}` })))
    const told = lines.map((line) => JSON.parse(line) as Part)
    expect(told).toHaveLength(20)
    expect(told.at(-1)).toMatchObject({ andMore: true })
    expect((await signIn({ ref: 'dev' })).logged).toHaveLength(1)
  })

  it('asks a good token to come again while its issuer fails, and accepts it as soon as the issuer answers', async () => {
    const { send, assertionOf } = await open()
    const token = assertionOf()
    site.status = 500
    const { status, headers, answer, logged } = await send(token)
    expect([status, headers.get('Retry-After'), answer.reason]).toEqual([503, '1', 'issuer_unavailable'])
    expect(logged).toMatchObject([{ event: 'issuer_failed', issuer: 'ci', cause: 'status', status: 500 }])
    site.status = 200
    expect((await send(token)).status).toBe(201)
  })

  it('row 24: tells only the bearer of an otherwise right token that an issuer is trusted and fails', async () => {
    const { signIn } = await open()
    site.status = 500
    const unknown = await signIn({ iss: 'https://unknown.example' })
    for (const wrong of [{ aud: 'them' }, { ref: 'dev' }, { exp: 1_000_000_000 }, { sub: undefined }]) {
      const { status, answer, headers } = await signIn(wrong)
      expect([status, answer, headers.get('Retry-After')]).toEqual([401, unknown.answer, null])
    }
  })

  it('tells the operator why the keys of an issuer cannot be fetched', async () => {
    const { signIn } = await open()
    site.server.close()
    site.server.closeAllConnections()
    expect((await signIn()).logged).toMatchObject([
      { event: 'issuer_failed', issuer: 'ci', code: 'unavailable', cause: 'no_answer', networkCode: 'ECONNREFUSED' },
    ])
  })

  it('accepts a key that the issuer added a moment ago, for many jobs at once', async () => {
    const { signIn, send, assertionOf } = await open()
    expect((await signIn()).status).toBe(201)
    site.keys = [...KEYS, jwkOf(rsa.publicKey, 'added')]
    const tokens = Array.from({ length: 10 }, (_, i) => assertionOf({ jti: i }, { kid: 'added' }))
    const statuses = await Promise.all(tokens.map(async (token) => (await send(token)).status))
    expect(statuses).toEqual(Array(10).fill(201))
    expect(site.requests).toBe(4)
  })

  it('accepts the keys in the trust of an issuer that cannot be reached, and shows them without what they do not need', async () => {
    const key = { ...jwkOf(rsa.publicKey, 'rsa', { use: 'sig', alg: 'RS256' }), x5t: 'AAAA', 'x-vendor': { a: [1] } }
    const trust = { issuer: 'https://10.96.0.1:6443', jwks: { keys: [key], spiffe_sequence: 3 } }
    const { bench, signIn } = await open(trust as Trust)
    expect((await signIn({ iss: trust.issuer })).status).toBe(201)
    expect(site.requests).toBe(0)
    const { items } = (await (await bench.send(`${VAULT}/issuers`)).json()) as { items: Part[] }
    const { x5t: _, 'x-vendor': __, ...kept } = key
    expect(items[0]!.jwks).toEqual({ keys: [kept] })
  })

  const keyed = (key: object) => ({ jwks: { keys: [key] } })
  it.each<[string, object, RegExp]>([
    ['a private key', keyed(jwkOf(rsa.privateKey, 'rsa')), /public key, without "d"/],
    ['a shared secret', keyed({ kty: 'oct', k: 'AAAA' }), /without "k"/],
    ['an RSA key with e = 1', keyed({ ...KEYS[0], e: 'AQ' }), /e must be odd/],
    ['only a key for encryption', keyed({ ...KEYS[0], use: 'enc' }), /public key for signatures/],
    ['no keys', { jwks: { keys: [] } }, /./],
    [
      'keys and their address',
      { ...keyed(KEYS[0]!), jwksUri: 'https://id.example/jwks' },
      /only one of jwks and jwksUri/,
    ],
    [
      'an issuer that is not an address, without keys',
      { issuer: 'kubernetes/serviceaccount' },
      /come with jwks or jwksUri/,
    ],
    ['an internal issuer, without keys', { issuer: 'https://10.96.0.1' }, /public internet/],
    ['an internal address of keys', { jwksUri: 'https://10.96.0.1/jwks' }, /public internet/],
    ['a broken pointer', { claims: { '/a~2': ['x'] } }, /JSON pointer/],
    ['a pointer to the audience as the only condition', { claims: { '/aud/0': ['us'] } }, /at least one claim besides/],
    ['an unknown use of audiences', { audiences: 'all' }, /./],
    [
      'a GitHub repository by its name',
      { issuer: 'https://token.actions.githubusercontent.com', claims: { repository: ['a/b'] } },
      /repository_id/,
    ],
    [
      'a GitHub repository by its name, with keys',
      {
        issuer: 'https://token.actions.githubusercontent.com',
        claims: { '/repository_id': ['7'] },
        ...keyed(KEYS[0]!),
      },
      /repository_id/,
    ],
  ])('refuses a trust with %s, and says why', async (_, change, message) => {
    const { put } = await open()
    const response = await put(change)
    const { detail } = (await response.json()) as { detail: string }
    expect([response.status, detail]).toEqual([400, expect.stringMatching(message)])
    const secret = String(rsa.privateKey.export({ format: 'jwk' }).d)
    expect(leaks(detail + lines.join('\n'), [secret])).toEqual([])
  })
})
