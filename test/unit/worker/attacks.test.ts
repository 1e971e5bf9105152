/** Attacks on all routes of the OpenAPI document. */
import { describe, expect, it } from 'vitest'
import { signIn } from '../../../core/client/client.ts'
import { PosternError } from '../../../core/errors.ts'
import { OPERATIONS, type OperationName } from '../../../core/vault/operation_table.ts'
import { createApp } from '../../../worker/app.ts'
import { openApi } from '../../../worker/openapi/document.ts'
import type { Host } from '../../../worker/vault_host/host.ts'
import { contract, operations } from '../../fuzz/requests.ts'
import { authenticator } from '../../support/authenticator.ts'
import { canary, leaks } from '../../support/canary.ts'
import { openApp } from './provider_access/provider_access_fixture.ts'

const AT = { endpoint: 'http://127.0.0.1', vault: 'default' }
const METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND', 'QUERY', 'get']
/** Routes without a credential. */
const OPEN = ['/', '/healthz', '/readyz', '/metrics', '/openapi.json', '/docs']
/** Routes that answer HEAD, as they answer GET. */
const HEAD_TOO = ['/', '/healthz', '/readyz', '/docs']
const EXAMPLES: Record<string, string> = {
  vault: 'default',
  name: 'prod/db',
  id: 'none',
  accessor: '00000000-0000-4000-8000-000000000000',
  index: '0',
  tile: '0/000.p/1',
}

const filled = (path: string) => path.replace(/\{(\w+)\}/g, (_, name) => EXAMPLES[name] ?? '0')
const fits = (path: string, given: string) =>
  new RegExp(
    `^${path.replace(/\{(\w+)\}/g, (_, name) => (name === 'name' || name === 'tile' ? '.+' : '[^/]+'))}$`,
  ).test(given)
const isOpen = (path: string) => OPEN.some((one) => path === one || path.startsWith(`${one}/`))

async function open() {
  const bench = await openApp(null, { environment: { POSTERN_SECURITY__REFUSAL_RATE: 'none' } })
  await bench.send(bench.secret('prod/db'), { method: 'PUT', body: JSON.stringify({ value: canary() }) })
  return bench
}

describe('every route', () => {
  it('row 54: refuses other methods before any other check, and reveals no length', async () => {
    const bench = await open()
    const before = bench.log().length
    const paths = Object.keys(contract.paths)
    expect(paths.length).toBeGreaterThan(40)
    for (const path of paths) {
      // `rules/explain` also matches `rules/{id}`.
      const has = operations.filter((one) => fits(one.path, filled(path))).map(({ method }) => method.toUpperCase())
      // Our client cannot send TRACE and CONNECT: they are tried over sockets.
      const taken = HEAD_TOO.includes(path) ? [...has, 'HEAD'] : has
      for (const method of METHODS.filter((name) => !taken.includes(name.toUpperCase()))) {
        const response = await bench.send(filled(path), { method })
        const { status, headers } = response
        const text = await response.text()
        const off = path === '/metrics' || isOpen(path)
        if (off && status === 404) continue
        expect([path, method, status]).toEqual([path, method, 405])
        expect(headers.get('Allow')).toMatch(/^[A-Z]+(?:, [A-Z]+)*$/)
        if (method === 'HEAD') expect([text, headers.get('Content-Length')]).toEqual(['', null])
        else expect(JSON.parse(text)).toMatchObject({ code: 'bad_request', status: 405 })
      }
    }
    expect(bench.log()).toHaveLength(before)
  })

  it('row 48: sets the security headers on every answer', async () => {
    const bench = await open()
    const statuses = new Set<number>()
    for (const { path, method } of operations) {
      const granted = { Authorization: `Bearer ${bench.token.reveal()}` }
      for (const headers of [{ Authorization: '' }, { Authorization: 'Bearer nonsense' }, granted]) {
        const { headers: answered, status } = await bench.send(filled(path), { method: method.toUpperCase(), headers })
        const shown = [path, method, status, answered.get('X-Content-Type-Options'), answered.get('Referrer-Policy')]
        expect(shown).toEqual([path, method, status, 'nosniff', 'no-referrer'])
        statuses.add(status)
        expect(answered.get('Content-Security-Policy')).toContain("frame-ancestors 'none'")
        expect(answered.get('Strict-Transport-Security')).toMatch(/^max-age=\d{8,}/)
        expect([path, answered.get('Vary')]).toEqual([path, expect.stringContaining('Authorization')])
        expect(answered.get('Cross-Origin-Resource-Policy')).toBe('same-origin')
        if (path.startsWith('/v1/')) expect(answered.get('Cache-Control')).toBe('no-store')
      }
    }
    // This would also hold if all answers were one refusal.
    for (const status of [200, 400, 401, 404]) expect(statuses).toContain(status)
  })

  it('row 48: sets them on failures, late answers and unknown routes', async () => {
    const bench = await open()
    const wanted = [...(await bench.send('/healthz')).headers.keys()].filter(
      (name) => !/^(?:request-id|content-type)$/.test(name),
    )
    expect(wanted.sort()).toEqual([
      ...['cache-control', 'content-security-policy', 'cross-origin-resource-policy', 'referrer-policy'],
      ...['strict-transport-security', 'vary', 'x-content-type-options'],
    ])
    const failing = (vault: Host['vault'], timeoutMs = 10_000) => {
      const settings = { ...bench.settings, requestTimeoutMs: timeoutMs }
      return createApp({ ...bench.services, settings, host: { ...bench.services.host, vault } })
    }
    const never = () => new Promise<never>(() => {})
    const broken = () => Promise.reject(new TypeError(canary()))
    const through = bench.services.host.vault
    const cases: [number, ReturnType<typeof createApp>, string, RequestInit][] = [
      [500, failing(broken), bench.secret('prod/db'), {}],
      [503, failing(never, 1), bench.secret('prod/db'), {}],
      [404, failing(through), '/nowhere', {}],
      [404, failing(through), '/v1/vaults/default/nowhere', {}],
      [400, failing(through), '/v1/vaults/default/secrets/%zz', {}],
      [405, failing(through), '/healthz', { method: 'PATCH' }],
      [
        413,
        failing(through),
        bench.secret('a'),
        { method: 'PUT', body: JSON.stringify({ value: 'x'.repeat(200_000) }) },
      ],
      [
        415,
        failing(through),
        bench.secret('a'),
        { method: 'PUT', body: 'x', headers: { 'Content-Type': 'text/plain' } },
      ],
    ]
    for (const [status, app, path, init] of cases) {
      const headers = {
        Authorization: `Bearer ${bench.token.reveal()}`,
        'Content-Type': 'application/json',
        ...init.headers,
      }
      const response = await app.fetch(new Request(`http://127.0.0.1${path}`, { ...init, headers }), {
        address: '127.0.0.1',
      })
      expect([path, status]).toEqual([path, response.status])
      expect([path, wanted.filter((name) => !response.headers.has(name))]).toEqual([path, []])
      expect(response.headers.get('Cache-Control')).toBe('no-store')
      expect(response.headers.get('Request-Id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it('row 61: needs a token, and without one changes nothing and records nothing', async () => {
    const bench = await open()
    const before = bench.log().length
    const tables = () =>
      bench.sql.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'").map(({ name }) => ({
        name,
        rows: bench.sql.all(`SELECT * FROM "${name}"`),
      }))
    const kept = JSON.stringify(tables())
    let asked = 0
    for (const { path, method, operation } of operations) {
      if (isOpen(path)) continue
      const json = { 'Content-Type': 'application/json' }
      const body = method === 'put' || method === 'post' ? { body: '{}', headers: json } : {}
      const request = new Request(`http://127.0.0.1${filled(path)}`, { method: method.toUpperCase(), ...body })
      const { status } = await bench.answer(request)
      expect([operation.operationId, status]).toEqual([operation.operationId, 401])
      asked++
    }
    expect(asked).toBeGreaterThan(60)
    expect(bench.log()).toHaveLength(before)
    expect(JSON.stringify(tables())).toBe(kept)
  })

  it('row 61: finds the vault closed too: without a credential it answers no call and records none', async () => {
    const bench = await open()
    const before = bench.log().length
    const nobody = { credential: null, proof: null, requestId: 'r', address: '127.0.0.1', agent: null }
    const asked = Object.entries(OPERATIONS).filter(
      ([, operation]) => !('anonymous' in operation && operation.anonymous),
    )
    expect(asked.length).toBeGreaterThan(60)
    for (const [operation] of asked) {
      const call = { operation: operation as OperationName, caller: nobody, input: {} as never }
      const [answer] = bench.opened.vault.execute([call], Date.now())
      expect([operation, answer]).toEqual([
        operation,
        { ok: false, index: null, quota: null, reason: 'unauthenticated' },
      ])
    }
    expect(bench.log()).toHaveLength(before)
  })

  it('row 56: reveals no destination of the log', () => {
    // From the shapes that requests are checked with now.
    const { paths, components } = JSON.parse(JSON.stringify(openApi())) as typeof contract
    type Part = { requestBody?: unknown; parameters?: unknown }
    const parts = Object.values(paths).flatMap((item) => Object.values(item) as unknown[]) as Part[]
    const bodies = parts.flatMap(({ requestBody }) => requestBody ?? [])
    expect(bodies.length).toBeGreaterThan(15)
    const words = JSON.stringify([bodies, parts.map(({ parameters }) => parameters), components.parameters])
    // All parts of a body, at any depth.
    const shapes = new Set<string>()
    const follow = (text: string) => {
      for (const [, name] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) {
        const shape = JSON.stringify(components.schemas[name!])
        if (shapes.has(shape)) continue
        shapes.add(shape)
        follow(shape)
      }
    }
    follow(words)
    expect(shapes.size).toBeGreaterThan(15)
    for (const text of [words, ...shapes])
      expect(text).not.toMatch(/"\w*(?:sink|anchor|witness|collector|export|archive|file|path|folder|command)\w*":/i)
  })
})

describe('a sign-in while the vault is unreachable', () => {
  it('row 25: is refused with a right and with a wrong code, whichever call has no answer', async () => {
    const bench = await open()
    const { client } = await signIn({ ...AT, token: bench.token, fetch: bench.answer })
    const nextCode = authenticator((await client.enrolTotp()).uri)
    await client.confirmTotp(await nextCode())
    const code = await nextCode()
    const before = bench.sql.all('SELECT accessor FROM session')
    const attempt = async (given: string, broken: OperationName | null) =>
      signIn({ ...AT, token: bench.token, code: given, fetch: withoutAnswerTo(bench, broken) }).then(
        () => 'in',
        (error: PosternError) => error.code,
      )
    expect(await attempt(code, 'totp.begin')).toBe('unavailable')
    expect(await attempt(code, 'session.open')).toBe('unavailable')
    expect(await attempt('000000', 'totp.begin')).toBe('unavailable')
    expect(await attempt('000000', 'totp.fail')).toBe('unavailable')
    expect(bench.sql.all('SELECT accessor FROM session')).toEqual(before)
    // The code is valid, so the test is not vacuous.
    expect(await attempt(code, null)).toBe('in')
  })

  /** An app whose vault does not answer one operation. */
  function withoutAnswerTo({ services }: Awaited<ReturnType<typeof open>>, broken: OperationName | null) {
    const vault: Host['vault'] = async (...asked) => {
      const handle = await services.host.vault(...asked)
      const call = async (...[operation, ...rest]: Parameters<typeof handle.call>) => {
        if (operation === broken) throw new PosternError('unavailable', 'Vault cannot be reached now')
        return handle.call(operation, ...rest)
      }
      return Object.assign(
        handle.around((work) => work()),
        { call },
      ) as typeof handle
    }
    const app = createApp({ ...services, host: { ...services.host, vault } })
    return async (request: Request) => app.fetch(request, { address: '127.0.0.1' })
  }
})

describe('a refused sign-in', () => {
  it.each<[string, RequestInit]>([
    ['a wrong code', { body: '{"code":"000000"}' }],
    ['a wrong recovery code', { body: '{"recoveryCode":"AAAAA-AAAAA"}' }],
    ['a truncated body', { body: '{"code":' }],
    ['an unknown field', { body: '{"extra":true}' }],
    ['a key that cannot seal', { body: '{}', headers: { 'Postern-Seal-To': 'e30' } }],
    ['an invalid proof', { body: '{}', headers: { DPoP: 'e30.e30.e30' } }],
    ['an assertion beside a token', { body: '{"assertion":"e30.e30.e30"}' }],
    ['a body above the limit', { body: JSON.stringify({ code: 'x'.repeat(200_000) }) }],
  ])('row 59: leaves no session and no token behind: %s', async (_, init) => {
    const bench = await open()
    const response = await bench.send('/v1/vaults/default/sessions', { method: 'POST', ...init })
    expect(response.status).toBeGreaterThanOrEqual(400)
    expect(leaks(await response.text(), [bench.token.reveal()])).toEqual([])
    expect(bench.sql.all('SELECT * FROM session')).toEqual([])
    // An accepted one does, so the test is not vacuous.
    expect((await bench.send('/v1/vaults/default/sessions', { method: 'POST' })).status).toBe(201)
    expect(bench.sql.all('SELECT * FROM session')).toHaveLength(1)
  })
})
