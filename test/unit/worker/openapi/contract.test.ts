/** The OpenAPI document matches the app: its routes in both directions, and an answer of each kind. */
import { type TOTP, URI } from 'otpauth'
import { beforeAll, describe, expect, it } from 'vitest'
import { ERROR_CODES, REFUSALS } from '../../../../core/errors.ts'
import { createApp } from '../../../../worker/app.ts'
import { pattern, ROUTES } from '../../../../worker/http/route_table.ts'
import { openApi } from '../../../../worker/openapi/document.ts'
import { document, flaws, operationFor } from '../../../support/contract_check.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const files = async (name: string) => (name.endsWith('json') ? '{"openapi":"3.1.1"}' : 'x')
const ANN = { principal: 'ann' }

/** An app, and what was seen of it: `operation status code`. */
async function openWatched(environment: Record<string, string> = {}) {
  const aws = memoryProvider('aws')
  const fixture = await openApp({ aws }, { environment: { POSTERN_METRICS: 'true', ...environment } })
  const app = createApp(fixture.services, { publicFile: files })
  const seen = new Set<string>()
  const ask = async (method: string, path: string, { body, token, ...headers }: Record<string, unknown> = {}) => {
    const root = /^\/(?:$|v1|healthz|readyz|metrics|openapi|docs)/.test(path) ? '' : '/v1/vaults/default'
    const url = `http://127.0.0.1${root}${path}`
    const authorization = token === null ? {} : { Authorization: `Bearer ${token ?? fixture.token.reveal()}` }
    const given = { ...authorization, ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers }
    const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
    const request = new Request(url, { method, headers: given as Record<string, string>, body: text })
    const response = await app.fetch(request, { address: '127.0.0.1' })
    const answer = await response.text()
    expect(flaws(method, url, response, answer)).toEqual([])
    const json =
      response.headers.get('Content-Type')?.includes('json') && !response.headers.get('Content-Type')?.includes('nd')
    const parsed = json ? JSON.parse(answer) : answer
    const id = operationFor(method, new URL(url).pathname)?.operationId
    seen.add(`${id} ${response.status}`)
    if (response.status >= 400) seen.add(parsed.code)
    return { status: response.status, body: parsed, headers: response.headers }
  }
  /** A token of a principal that is made for it. */
  const member = async (id: string, kind = 'user'): Promise<string> => {
    await ask('PUT', `/principals/${id}`, { body: { kind } })
    return (await ask('POST', '/tokens', { body: { principal: id } })).body.token
  }
  return { ...fixture, aws, app, ask, member, seen }
}

type Watched = Awaited<ReturnType<typeof openWatched>>

/** The headers that a document names anywhere, of requests and of answers. */
function headersOf(part: unknown, found = { sent: new Set<string>(), answered: new Set<string>() }) {
  if (typeof part !== 'object' || part === null) return found
  const { in: place, name, headers } = part as { in?: string; name?: string; headers?: object }
  if (place === 'header' && name !== undefined) found.sent.add(name)
  for (const header of Object.keys(headers ?? {})) found.answered.add(header)
  for (const inner of Object.values(part)) headersOf(inner, found)
  return found
}

describe('the contract', () => {
  it('has the routes of the app and no others, and the table has the routes of both', () => {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).flatMap(([method, { operationId }]) =>
        method === 'parameters' ? [] : [`${operationId} ${method.toUpperCase()} ${path}`],
      ),
    )
    expect(operations.toSorted()).toEqual(ROUTES.map(({ id, method, path }) => `${id} ${method} ${path}`).toSorted())
  })

  it('has every registered route', async () => {
    const { app } = await openWatched()
    // Middlewares are of all methods.
    const registered = app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`)
    expect(registered.toSorted()).toEqual(ROUTES.map(({ method, path }) => `${method} ${pattern(path)}`).toSorted())
  })

  it('names no header that a page which may ask could not send or read', async () => {
    const { app } = await openWatched({ POSTERN_SECURITY__ALLOWED_ORIGINS: 'https://code.example.com' })
    const url = 'http://127.0.0.1/v1/vaults/default/secrets'
    const preflight = { Origin: 'https://code.example.com', 'Access-Control-Request-Method': 'GET' }
    const ask = async (method: string) =>
      (await app.fetch(new Request(url, { method, headers: preflight }), { address: '127.0.0.1' })).headers
    const listed = (text: string | null) => (text ?? '').split(/, */).filter((name) => name !== '')
    const { sent, answered } = headersOf(document)
    expect(sent.size).toBeGreaterThan(5)
    expect(listed((await ask('OPTIONS')).get('Access-Control-Allow-Headers'))).toEqual(
      expect.arrayContaining([...sent, 'Authorization', 'Content-Type']),
    )
    expect(answered.size).toBeGreaterThan(10)
    expect(listed((await ask('GET')).get('Access-Control-Expose-Headers'))).toEqual(
      expect.arrayContaining([...answered]),
    )
  })

  it.each([
    ['PUT', '/hooks/ops'],
    ['POST', '/totp'],
    ['POST', '/audit/key'],
    ['PUT', '/secrets/a'],
  ])('has a conflict for %s %s: a term of the key may begin between its two calls', (method, path) => {
    expect(Object.keys(operationFor(method, `/v1/vaults/v${path}`)!.responses)).toContain('409')
  })

  it('leaves answers open for more fields, and requests not', () => {
    const { schemas } = document.components as unknown as {
      schemas: Record<string, { additionalProperties?: boolean }>
    }
    const openness = (names: string[]) => names.map((name) => schemas[name]!.additionalProperties ?? true)
    expect(openness(['Secret', 'SecretList', 'Problem', 'Rotation'])).toEqual([true, true, true, true])
    expect(openness(['PutSecret', 'PutRule', 'Conditions', 'Hydrate'])).toEqual([false, false, false, false])
  })

  it('has every code and every reason', () => {
    const text = JSON.stringify(openApi())
    const codes = Object.values(document.components.responses).flatMap(({ content }) => {
      const schema = content['application/problem+json']!.schema as {
        allOf: { properties?: { code: { enum: string[] } } }[]
      }
      return schema.allOf[1]!.properties!.code.enum
    })
    expect([...new Set(codes)].toSorted()).toEqual([...ERROR_CODES].toSorted())
    for (const reason of Object.keys(REFUSALS)) expect(text).toContain(`\`${reason}\``)
  })
})

/** What an administrator of a new vault does, so that every operation is done once. */
async function doEverything({ ask, member, aws }: Watched): Promise<void> {
  for (const path of ['/', '/healthz', '/readyz', '/metrics', '/openapi.json', '/docs', '/docs/style.css'])
    await ask('GET', path)
  await ask('PUT', '/secrets/prod/db', { body: { value: 'one', tags: { team: 'core' } } })
  await ask('PUT', '/secrets/prod/db', { body: { value: 'two' }, 'Idempotency-Key': 'k', 'If-Match': '"1"' })
  await ask('GET', '/secrets/prod/db?version=1')
  await ask('GET', '/secrets?prefix=prod&limit=1')
  await ask('GET', '/versions/prod/db?limit=1')
  await ask('POST', '/hydrate', { body: { references: ['postern://default/prod/db', 'postern://default/none'] } })
  await ask('PUT', '/secrets/gone', { body: { value: 'x' } })
  await ask('DELETE', '/secrets/gone', { 'If-Match': '"1"' })
  await ask('POST', '/restore/gone')
  await ask('POST', '/destroy/gone', { body: { version: 1 } })
  await ask('POST', '/rollback/prod/db', { body: { version: 1 } })
  await rotate(ask)
  await signInAndOut(ask, await member('ann'))
  await govern(ask)
  await approve(ask, await member('bob'), await member('eve', 'service'))
  aws.set('aws/x', 'there')
  await ask('PUT', '/chains/c', { body: { resource: 'aws/*', members: [{ provider: 'aws' }], cacheSeconds: 30 } })
  for (const path of ['/secrets/aws/x', '/secrets/aws/x', '/chains', '/chains/c/names', '/providers'])
    await ask('GET', path)
  await ask('DELETE', '/chains/c')
  await readLog(ask)
}

async function rotate(ask: Watched['ask']) {
  await ask('PUT', '/rotations/prod/db', { body: { rotateEvery: 'P30D', freeze: [{ days: [6, 7] }] } })
  await ask('POST', '/rotations/prod/db', { body: { force: true } })
  await ask('POST', '/rotations/prod/db', { body: { do: 'retry' } })
  await ask('POST', '/rotations/prod/db', { body: { do: 'abandon' } })
  await ask('GET', '/rotations/prod/db')
  await ask('GET', '/rotations?limit=1')
  await ask('DELETE', '/rotations/prod/db')
}

/** Gives a principal a second factor, and returns the recovery codes. */
async function enrol(ask: Watched['ask'], token: string): Promise<string[]> {
  const first = (await ask('POST', '/sessions', { token })).body
  const { uri } = (await ask('POST', '/totp', { token: first.token })).body
  const code = (URI.parse(uri) as TOTP).generate()
  return (await ask('POST', '/totp/confirm', { token: first.token, body: { code } })).body.recoveryCodes
}

async function signInAndOut(ask: Watched['ask'], token: string) {
  const recoveryCodes = await enrol(ask, token)
  const again = (await ask('POST', '/sessions', { token, body: { recoveryCode: recoveryCodes[0] } })).body
  const next = await ask('POST', '/sessions/current', { token: again.token, body: { recoveryCode: recoveryCodes[1] } })
  await ask('GET', '/sessions/current', { token: next.body.token })
  await ask('GET', '/sessions?principal=ann', { token: next.body.token })
  await ask('DELETE', '/sessions/current', { token: next.body.token })
  const last = (await ask('POST', '/sessions', { token, body: { recoveryCode: recoveryCodes[2] } })).body
  await ask('DELETE', `/sessions/${last.accessor}`)
  await ask('DELETE', '/sessions?principal=ann')
  for (const path of ['/locks/ann', '/factors/ann']) await ask('DELETE', path)
  await ask('GET', '/locks')
}

async function govern(ask: Watched['ask']) {
  await ask('GET', '/principals')
  const made = await ask('POST', '/tokens', { body: { ...ANN, label: 'x', expiresAt: '2999-01-01T00:00:00Z' } })
  await ask('GET', '/tokens')
  await ask('DELETE', `/tokens/${made.body.accessor}`)
  const conditions = {
    addresses: ['127.0.0.0/8'],
    hours: { from: '00:00', to: '23:59' },
    notBefore: '2000-01-01T00:00:00Z',
  }
  await ask('PUT', '/rules/ann', { body: { effect: 'permit', ...ANN, actions: ['read'], resource: 'x/*', conditions } })
  await ask('GET', '/rules')
  await ask('POST', '/rules/explain', { body: { ...ANN, action: 'read', resource: 'x/y' } })
  await ask('DELETE', '/rules/ann')
  const issuer = { issuer: 'https://id.example.com', audience: 'postern', claims: { sub: ['ci-1'] }, ...ANN }
  await ask('PUT', '/issuers/id', { body: issuer })
  await ask('GET', '/issuers')
  await ask('DELETE', '/issuers/id')
  await ask('PUT', '/hooks/ops', { body: { url: 'https://hooks.example.com/x' } })
  await ask('GET', '/hooks')
  await ask('DELETE', '/hooks/ops')
  await ask('PUT', '/policy', { body: { keepVersions: 5, secretComplexity: { resources: ['strict/*'] } } })
  await ask('GET', '/policy')
  await ask('POST', '/keys')
  await ask('GET', '/keys')
  await ask('GET', '/v1/vaults/default/metrics')
}

async function approve(ask: Watched['ask'], bob: string, eve: string) {
  const reading = { principal: 'eve', actions: ['read'], resource: 'prod/*' }
  await ask('PUT', '/rules/eve', { body: { effect: 'permit', ...reading } })
  const unless = { approvals: { required: 1, from: ['ann', 'bob'] } }
  await ask('PUT', '/rules/two', { body: { effect: 'forbid', ...reading, unless } })
  const request = { token: eve, Approval: 'ask', 'Approval-Reason': 'Looking into it' }
  const asked = async () => (await ask('GET', '/secrets/prod/db', request)).body.approval
  const { id, hash } = await asked()
  await ask('GET', '/approvals', { token: bob })
  await ask('GET', `/approvals/${id}`, { token: bob })
  await ask('POST', `/approvals/${id}`, { token: bob, body: { decision: 'approve', hash } })
  await ask('GET', '/secrets/prod/db', { token: eve, Approval: id })
  await ask('DELETE', `/approvals/${(await asked()).id}`, { token: eve })
  await ask('PUT', '/rules/glass', {
    body: { effect: 'permit', principal: 'bob', actions: ['admin'], resource: 'break-glass' },
  })
  const [recoveryCode] = await enrol(ask, bob)
  const session = (await ask('POST', '/sessions', { token: bob, body: { recoveryCode } })).body.token
  const { body } = await ask('POST', '/break-glass', { token: session, body: { reason: 'No approver is awake' } })
  await ask('GET', '/break-glass')
  await ask('DELETE', `/break-glass/${body.id}`, { token: bob })
  // The principal who created the breaker's token cannot review the event.
  await ask('PUT', '/rules/review', {
    body: { effect: 'permit', principal: 'eve', actions: ['admin'], resource: 'break-glass' },
  })
  await ask('POST', `/break-glass/${body.id}`, { token: eve, body: { review: 'Was called for' } })
}

async function readLog(ask: Watched['ask']) {
  const texts = ['/audit/key', '/audit/checkpoint', '/audit/proof/0', '/audit/tile/0/000.p/1']
  const shapes = [
    '/audit/entries?limit=2',
    '/audit/mine',
    '/audit/status',
    '/audit/inclusion/0',
    '/audit/consistency?from=1&to=2',
  ]
  for (const path of [...texts, ...shapes]) await ask('GET', path)
  for (const format of ['jsonl', 'csv', 'ocsf', 'syslog']) await ask('GET', `/audit/export?limit=2&format=${format}`)
  await ask('PUT', '/audit/hold', { body: { reason: 'Case 7' } })
  await ask('POST', '/audit/key')
}

describe('answers', () => {
  let watched: Watched

  beforeAll(async () => {
    watched = await openWatched()
    await doEverything(watched)
  })

  it.each(ROUTES)('match the document on success: $id', ({ id }) => {
    expect([...watched.seen].filter((one) => /^\S+ 20[01]$/.test(one)).map((one) => one.split(' ')[0])).toContain(id)
  })

  it('are as the contract says for each code', async () => {
    const { ask, member, sql, aws, seen } = watched
    const reader = await member('joe', 'service')
    await ask('GET', '/secrets/prod/db', { token: null })
    await ask('GET', '/secrets/prod/db', { token: reader })
    await ask('GET', '/secrets/prod/none')
    await ask('GET', '/secrets/Prod')
    await ask('PUT', '/secrets/big', { body: `{"value":"${'x'.repeat(140_000)}"}` })
    await ask('PUT', '/secrets/prod/db', { body: { value: 'x' }, 'If-None-Match': '*' })
    await ask('DELETE', '/secrets/prod/db')
    await ask('PUT', '/secrets/prod/db', { body: { value: 'x' } })
    await ask('POST', '/restore/prod/db')
    const mfa = {
      effect: 'permit',
      principal: 'joe',
      actions: ['read'],
      resource: 'prod/*',
      conditions: { mfaWithinSeconds: 60 },
    }
    await ask('PUT', '/rules/mfa', { body: mfa })
    await ask('GET', '/secrets/prod/db', { token: reader })
    await ask('PUT', '/chains/c', { body: { resource: 'aws/*', members: [{ provider: 'aws' }] } })
    aws.failing = 'unavailable'
    await ask('GET', '/secrets/aws/x')
    sql.all('UPDATE version SET sealed = zeroblob(length(sealed))')
    await ask('GET', '/secrets/prod/db')
    const limited = await openWatched({ POSTERN_SECURITY__PRINCIPAL_RATE: '1/m' })
    for (let i = 0; i < 3; i++) await limited.ask('GET', '/sessions/current')
    const broken = {
      ...watched.services,
      host: { ...watched.services.host, vault: () => Promise.reject(new TypeError('x')) },
    }
    const failed = await createApp(broken).fetch(
      new Request('http://127.0.0.1/v1/vaults/default/keys', {
        headers: { Authorization: `Bearer ${watched.token.reveal()}` },
      }),
      { address: '127.0.0.1' },
    )
    const body = await failed.text()
    expect(flaws('GET', 'http://127.0.0.1/v1/vaults/default/keys', failed, body)).toEqual([])
    const codes = [...seen, ...limited.seen, JSON.parse(body).code].filter((one) => !one.includes(' '))
    expect([...new Set(codes)].toSorted()).toEqual([...ERROR_CODES].toSorted())
  })

  it('are seen to be wrong when they are', async () => {
    const url = 'http://127.0.0.1/v1/vaults/default/keys'
    const wrong = (status: number, body: string, headers: Record<string, string> = {}) =>
      flaws(
        'GET',
        url,
        new Response(body, { status, headers: { 'Content-Type': 'application/json', ...headers } }),
        body,
      )
    const id = { 'Request-Id': crypto.randomUUID() }
    expect(wrong(200, '{"items":[],"rootKeys":[]}', id)).toEqual([])
    expect(wrong(200, '{"items":[],"rootKeys":[]}')).toEqual(['listTerms 200: header Request-Id is missing'])
    expect(wrong(200, '{"items":[],"rootKeys":[],"more":1}', id)[0]).toContain('must NOT have additional properties')
    expect(wrong(200, '{}', id)[0]).toContain("must have required property 'items'")
    expect(wrong(202, '', id)[0]).toContain('status 202')
    expect(wrong(200, '{"items":[],"rootKeys":[]}', { ...id, 'X-Other': '1' })[0]).toContain('header x-other')
    expect(wrong(401, '{"items":[]}', id)[0]).toContain('content type')
  })

  it('are seen to be wrong where there is no route, unless they refuse', () => {
    const wrong = (status: number) =>
      flaws('GET', 'http://127.0.0.1/v1/vaults/default/none', new Response('', { status }), '')
    for (const status of [400, 401, 403, 404, 405, 429, 503]) expect([status, wrong(status)]).toEqual([status, []])
    for (const status of [200, 409, 500]) expect(wrong(status)).toEqual([expect.stringContaining(`status ${status}`)])
  })
})
