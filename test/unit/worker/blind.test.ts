/**
 * The answers to a caller without `read` must not depend on a value: every operation is called in two vaults that differ
 * only in their values.
 *
 * @module
 */
import { describe, expect, it, vi } from 'vitest'
import type { OperationName } from '../../../core/vault/operation_table.ts'
import { OPERATIONS } from '../../../core/vault/operation_table.ts'
import { verifiedToken } from '../../../worker/http/authenticate.ts'
import { memoryProvider } from '../../support/memory_provider.ts'
import { openApp, type TestApp } from './provider_access/provider_access_fixture.ts'

const VAULT = '/v1/vaults/default'
/** Values that differ in length, strength and kind (a document and a text). */
const VALUES = [
  'f3q',
  'Kb4#wT9!zR2@mX7%pL5&',
  '{"user":"a","password":"f3q"}',
  'aaaaaaaaaaaa',
  'Qm8$nB3&vC6*jK1!',
] as const
/** A policy that strong values meet and weak ones do not. */
const STRICT = { resources: ['**'], minLength: 12, minEntropyBits: 60, denied: ['f3q'] }

type Options = { body?: unknown } & Record<string, unknown>

/** Replaces ids, times and credentials, which differ between any two vaults. */
function plain(text: string): string {
  return text
    .replaceAll(/\b1[0-9]{12}\b|"p[59][05]?":[\d.]+|_(?:seconds|bytes)(?:\{.*?\})? [\d.e+]+/g, '<time>')
    .replaceAll(/nonce-\d+/g, '<nonce>')
    .replaceAll(/secret=[A-Z2-7]+|<svg.*<\/svg>/g, '<secret>')
    .replaceAll(/\\\\"fence\\\\":\d+/g, '<fence>')
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/p[so][ts]_default_\w+/g, '<token>')
    .replaceAll(/whsec_[\w+/=-]+/g, '<secret>')
    .replaceAll(/[A-Za-z0-9+/_-]{43,}=*/g, '<hash>')
    .replaceAll(/"(?:hash|id|accessor)":"[^"]+"/g, '<id>')
    .replaceAll(/"(?:seconds|idleSeconds|latencyMs|averageLatencyMs)":[\d.]+/g, '<number>')
}

/** A vault with some values, and a caller with every right except `read`. */
async function openBlind([one, two]: readonly [string, string]) {
  const aws = memoryProvider('aws')
  const azure = memoryProvider('azure')
  const bench = await openApp({ aws, azure }, { environment: { POSTERN_SECURITY__REFUSAL_RATE: 'none' } })
  const send = async (token: string, method: string, path: string, options: Options = {}) => {
    const { body, ...headers } = options
    const init = { method, headers: { Authorization: `Bearer ${token}`, ...(headers as Record<string, string>) } }
    const response = await bench.send(VAULT + path, body === undefined ? init : { ...init, body: JSON.stringify(body) })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const admin = (...asked: [method: string, path: string, options?: Options]) => send(bench.token.reveal(), ...asked)
  aws.set('aws/x', one)
  azure.set('aws/x', two)
  const members = [{ provider: 'aws' }, { provider: 'azure' }]
  await admin('PUT', '/chains/aws', { body: { resource: 'aws/**', members, cacheSeconds: 30, replicate: true } })
  for (const name of ['prod/db', 'prod/turns', 'prod/gone']) {
    await admin('PUT', `/secrets/${name}`, { body: { value: one } })
    await admin('PUT', `/secrets/${name}`, { body: { value: two } })
  }
  await admin('PUT', '/rotations/prod/turns', { body: { graceSeconds: 0 } })
  await admin('PUT', '/policy', { body: { secretComplexity: STRICT } })
  // Rollbacks by others appear in the log that she reads.
  await admin('POST', '/rollback/prod/turns', { body: { version: 1 } })
  await bench.opened.scheduler.run(Date.now())
  await admin('PUT', '/principals/eve', { body: { kind: 'user' } })
  await admin('PUT', '/principals/bob', { body: { kind: 'user' } })
  const rest = ['write', 'delete', 'rotate', 'admin']
  await admin('PUT', '/rules/eve', { body: { effect: 'permit', principal: 'eve', actions: rest, resource: '**' } })
  const token = JSON.parse((await admin('POST', '/tokens', { body: { principal: 'eve' } })).text).token as string
  return {
    ...bench,
    token,
    ask: (...asked: [method: string, path: string, options?: Options]) => send(token, ...asked),
  }
}

/** Calls every operation as the caller without `read`; at the end, those that no route makes alone. */
async function askAll(bench: Awaited<ReturnType<typeof openBlind>>): Promise<string[]> {
  const seen: string[] = []
  const ask = async (method: string, path: string, options: Options = {}) => {
    const { status, headers, text } = await bench.ask(method, path, options)
    const shown = [...headers].filter(([name]) => !/^(?:request-id|ratelimit|audit-index|etag)/.test(name))
    const body = headers.get('content-type') === 'application/octet-stream' ? '<hash>' : text
    seen.push(plain(`${method} ${path} ${status} ${JSON.stringify(shown)} ${body}`))
    return { text, body: () => JSON.parse(text) as never as Record<string, string> }
  }
  for (const name of ['prod/db', 'aws/x', 'none']) {
    await ask('GET', `/secrets/${name}`)
    await ask('GET', `/secrets/${name}?version=1`)
    await ask('GET', `/versions/${name}`)
  }
  const references = ['prod/db', 'prod/db#/password', 'aws/x', 'none'].map((name) => `postern://default/${name}`)
  await ask('POST', '/hydrate', { body: { references } })
  await ask('GET', '/secrets')
  for (const version of [1, 2, 9]) await ask('POST', '/rollback/prod/db', { body: { version } })
  for (const version of [1, 2]) await ask('POST', '/rollback/prod/turns', { body: { version } })
  await ask('POST', '/rollback/aws/x', { body: { version: 1 } })
  for (const value of VALUES) {
    await ask('PUT', '/secrets/prod/db', { body: { value }, 'Idempotency-Key': 'same' })
    await ask('PUT', '/secrets/prod/db', { body: { value }, 'If-Match': '"1"' })
    await ask('PUT', '/secrets/prod/db', { body: { value }, 'If-None-Match': '*' })
    await ask('PUT', '/secrets/aws/x', { body: { value }, 'Idempotency-Key': `x${value.length}` })
  }
  await ask('GET', '/rotations')
  await ask('POST', '/rotations/prod/turns', { body: { force: true } })
  await ask('GET', '/rotations/prod/turns')
  await ask('POST', '/rotations/prod/turns', { body: { do: 'cancel' } })
  await ask('POST', '/rotations/prod/turns', { body: { do: 'abandon' } })
  await ask('DELETE', '/rotations/prod/turns')
  await ask('PUT', '/rotations/prod/db', { body: { target: { kind: 'generate' } } })
  await ask('DELETE', '/secrets/prod/gone', { 'If-Match': '"2"' })
  await ask('POST', '/restore/prod/gone')
  await ask('POST', '/destroy/prod/gone', { body: { version: 1 } })
  await ask('POST', '/destroy/prod/gone')
  await ask('DELETE', '/secrets/aws/x')
  for (const path of ['/chains', '/chains/aws/names', '/providers', '/policy', '/keys', '/hooks', '/metrics'])
    await ask('GET', path)
  await ask('PUT', '/chains/other', { body: { resource: 'other/**', members: [{ provider: 'aws' }] } })
  await ask('DELETE', '/chains/other')
  await ask('PUT', '/policy', { body: { secretComplexity: { ...STRICT, minLength: 4 } } })
  await ask('POST', '/rollback/prod/db', { body: { version: 1 } })
  await ask('PUT', '/hooks/ops', { body: { url: 'https://hooks.example.com/x' } })
  await ask('DELETE', '/hooks/ops')
  await ask('POST', '/keys')
  await askForRights(ask)
  await askForLog(ask)
  await callAlone(bench, seen)
  return seen
}

type Ask = (method: string, path: string, options?: Options) => Promise<{ body: () => Record<string, string> }>

async function askForRights(ask: Ask): Promise<void> {
  for (const path of [
    '/principals',
    '/tokens',
    '/rules',
    '/issuers',
    '/locks',
    '/approvals',
    '/break-glass',
    '/sessions',
  ])
    await ask('GET', path)
  await ask('PUT', '/principals/bob', { body: { kind: 'user' } })
  const made = await ask('POST', '/tokens', { body: { principal: 'bob' } })
  await ask('DELETE', `/tokens/${made.body().accessor}`)
  const about = { principal: 'bob', actions: ['admin'], resource: 'x' }
  await ask('PUT', '/rules/bob', { body: { effect: 'permit', ...about } })
  await ask('POST', '/rules/explain', { body: { principal: 'bob', action: 'read', resource: 'prod/db' } })
  await ask('DELETE', '/rules/bob')
  const claims = { sub: ['ci-1'] }
  await ask('PUT', '/issuers/id', {
    body: { issuer: 'https://id.example.com', audience: 'us', claims, principal: 'bob' },
  })
  await ask('DELETE', '/issuers/id')
  await ask('DELETE', '/locks/bob')
  await ask('DELETE', '/factors/bob')
  const session = (await ask('POST', '/sessions')).body()
  const bearer = { Authorization: `Bearer ${session.token}` }
  await ask('GET', '/sessions/current', bearer)
  await ask('POST', '/totp', bearer)
  await ask('POST', '/totp/confirm', { ...bearer, body: { code: '000000' } })
  await ask('DELETE', '/sessions/current', bearer)
  await ask('DELETE', '/sessions?principal=bob')
  const assertion = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from('{"iss":"x"}').toString('base64url')}.AA`
  await ask('POST', '/sessions', { Authorization: '', body: { assertion } })
  const id = '00000000-0000-4000-8000-000000000000'
  await ask('GET', `/approvals/${id}`)
  await ask('POST', `/approvals/${id}`, { body: { decision: 'approve', hash: 'A'.repeat(43) } })
  await ask('DELETE', `/approvals/${id}`)
  await ask('POST', '/break-glass', { body: { reason: 'no approver is available' } })
  await ask('POST', `/break-glass/${id}`, { body: { review: 'all was well' } })
  await ask('DELETE', `/break-glass/${id}`)
}

async function askForLog(ask: Ask): Promise<void> {
  for (const path of ['/audit/mine', '/audit/status', '/audit/key', '/audit/inclusion/0', '/audit/proof/0'])
    await ask('GET', path)
  await ask('GET', '/audit/consistency?from=1&to=2')
  await ask('GET', '/audit/tile/0/000.p/1')
  await ask('GET', '/audit/checkpoint')
  await ask('GET', '/audit/checkpoint?cosigned=true')
  await ask('PUT', '/audit/hold', { body: { reason: 'looking into it' } })
  await ask('POST', '/audit/key')
  await ask('GET', '/audit/entries?limit=1000')
}

/** Operations that the edge calls for its caller after another operation: here alone. */
async function callAlone({ services, token }: Awaited<ReturnType<typeof openBlind>>, seen: string[]): Promise<void> {
  const handle = await services.host.vault('default', false)
  const { hash } = (await verifiedToken(services.keyring, 'default', token))!
  const credential = { kind: 'token', hash } as const
  const caller = { credential, proof: null, requestId: 'r', address: '127.0.0.1', agent: null }
  const alone: Partial<Record<OperationName, unknown>> = {
    'secret.unopened': { name: 'prod/db', version: 1, reason: 'tampered' },
    'secret.provided': {
      ...{ name: 'aws/x', version: null, revision: 'none', since: 0, skipped: [] },
      outcome: { failure: 'not_found', provider: 'aws' },
    },
    'chain.names': { chain: 'aws', prefix: '', names: ['aws/x'] },
    'totp.fail': {},
    'totp.confirm': { id: 'none', step: 1, recoveryHashes: [], root: '', jkt: null },
    'session.end': { accessor: 'none' },
    'session.federate': {
      ...{
        hash: new Uint8Array(16),
        accessor: 'a',
        jkt: null,
        candidates: [],
        claims: {},
        once: 'x',
        onceExpiresAt: 0,
      },
    },
    'audit.sign': { size: 1, root: new Uint8Array(32), note: 'note' },
    'vault.bootstrap': { hash: new Uint8Array(16), accessor: 'a' },
    'vault.recover': { hash: new Uint8Array(16), accessor: 'a' },
    'issuer.trusted': { issuer: 'https://id.example.com' },
  }
  for (const [operation, input] of Object.entries(alone)) {
    const answer = await handle
      .call(operation as never, caller, input as never)
      .catch((error) => ({ ...error.detail, code: error.code }))
    seen.push(`${operation}: ${plain(JSON.stringify(answer))}`)
  }
}

function entriesOf(bench: Pick<TestApp, 'log'>) {
  return bench
    .log()
    .map(({ operation, outcome, severity, resource, facts }) =>
      plain(JSON.stringify({ operation, outcome, severity, resource, facts })),
    )
}

describe('a caller with every right except read', () => {
  it('row 71: gets the same answers for all values, from every operation', async () => {
    const pairs = [
      [VALUES[0], VALUES[1]],
      [VALUES[1], VALUES[2]],
      [VALUES[3], VALUES[3]],
    ] as const
    const transcripts: string[][] = []
    for (const pair of pairs) {
      const bench = await openBlind(pair)
      const called = vi.spyOn(bench.opened.vault, 'execute')
      const seen = await askAll(bench)
      const operations = new Set(called.mock.calls.flatMap(([calls]) => calls.map(({ operation }) => operation)))
      // A new operation must be called here too.
      expect(Object.keys(OPERATIONS).filter((name) => !operations.has(name as OperationName))).toEqual([])
      transcripts.push([...seen, ...entriesOf(bench)])
    }
    const [first, ...others] = transcripts
    for (const other of others) expect(other.filter((line, i) => line !== first![i])).toEqual([])
    // This would also hold if all answers were refusals.
    const statuses = first!.map((line) => /^\S+ \S+ (\d+)/.exec(line)?.[1])
    for (const status of ['200', '201', '403', '404', '409', '412']) expect(statuses).toContain(status)
  })
})

describe('a rollback', () => {
  async function openWithBob(rules: { actions: string[]; effect?: string; unless?: object }[]) {
    const bench = await openBlind([VALUES[0], VALUES[1]])
    const rule = (id: string, body: object) =>
      bench.send(`${VAULT}/rules/${id}`, {
        method: 'PUT',
        body: JSON.stringify({ principal: 'bob', resource: 'prod/**', ...body }),
      })
    for (const [i, one] of rules.entries()) await rule(`bob-${i}`, { effect: 'permit', ...one })
    const init = { method: 'POST', body: JSON.stringify({ principal: 'bob' }) }
    const { token } = (await (await bench.send(`${VAULT}/tokens`, init)).json()) as { token: string }
    const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
      const authorized = { Authorization: `Bearer ${token}`, ...headers }
      const response = await bench.send(VAULT + path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: authorized,
      })
      return [response.status, ((await response.json()) as { code?: string }).code]
    }
    return { ...bench, post }
  }

  it('row 71: needs read beside write, and beside rotate if the secret rotates', async () => {
    const rights = [['write'], ['write', 'rotate'], ['read', 'rotate'], ['read', 'write'], ['read', 'write', 'rotate']]
    const outcomes = await Promise.all(
      rights.map(async (actions) => {
        const { post } = await openWithBob([{ actions }])
        return [await post('/rollback/prod/db', { version: 1 }), await post('/rollback/prod/turns', { version: 1 })]
      }),
    )
    const denied = [403, 'denied']
    const done = [201, undefined]
    expect(outcomes).toEqual([
      [denied, denied],
      [denied, denied],
      [denied, denied],
      [done, denied],
      [done, done],
    ])
  })

  it('needs an approval if a read needs one', async () => {
    const unless = { approvals: { required: 1, from: ['eve'] } }
    const bench = await openWithBob([{ actions: ['read', 'write'] }, { effect: 'forbid', actions: ['read'], unless }])
    expect(await bench.post('/rollback/prod/db', { version: 1 })).toEqual([403, 'approval_required'])
    const ask = { Approval: 'ask', 'Approval-Reason': 'the new one is broken' }
    expect(await bench.post('/rollback/prod/db', { version: 1 }, ask)).toEqual([403, 'approval_required'])
    const { items } = JSON.parse((await bench.ask('GET', '/approvals')).text)
    const [{ id, hash, body }] = items
    expect(JSON.parse(body)).toMatchObject({
      operation: 'secret.rollback',
      action: 'read',
      params: { to: 1, latest: 2 },
    })
    const decided = await bench.ask('POST', `/approvals/${id}`, { body: { decision: 'approve', hash } })
    expect(decided.status).toBe(200)
    expect(await bench.post('/rollback/prod/db', { version: 1 }, { Approval: id })).toEqual([201, undefined])
  })
})

describe('a weak value', () => {
  it('is recorded as weak, without the reason', async () => {
    const bench = await openBlind([VALUES[0], VALUES[1]])
    for (const path of ['prod/db', 'aws/x', 'new/one'])
      expect((await bench.ask('PUT', `/secrets/${path}`, { body: { value: 'f3q' } })).status).toBe(400)
    const refused = bench.log().filter(({ outcome }) => outcome === 'weak')
    const shown = refused.map(({ operation, resource, principal, action, facts }) => [
      operation,
      resource,
      principal,
      action,
      facts,
    ])
    expect(shown).toEqual(['prod/db', 'aws/x', 'new/one'].map((name) => ['secret.write', name, 'eve', 'write', {}]))
  })

  it('is a repeat under its key if it was accepted before', async () => {
    const bench = await openBlind([VALUES[0], VALUES[1]])
    const put = () => bench.ask('PUT', '/secrets/prod/db', { body: { value: VALUES[1] }, 'Idempotency-Key': 'k' })
    const first = await put()
    await bench.ask('PUT', '/policy', { body: { secretComplexity: { ...STRICT, minLength: 100 } } })
    const again = await put()
    expect([first.status, again.status, again.text]).toEqual([201, 201, first.text])
  })
})

describe('a change that the server cannot use', () => {
  const claims = { sub: ['x'] }
  const CASES: [method: string, path: string, body: object][] = [
    ['PUT', '/chains/c', { resource: 'x/*', members: [{ provider: 'azure' }] }],
    ['PUT', '/issuers/i', { issuer: 'http://127.0.0.1:1', audience: 'us', claims, principal: 'bob' }],
    ['PUT', '/hooks/h', { url: 'http://127.0.0.1:1/x' }],
  ]

  it.each(CASES)('is explained only to callers with the right, and recorded: %s %s', async (method, path, body) => {
    const aws = memoryProvider('aws')
    const bench = await openApp({ aws })
    const put = (token: string) =>
      bench.send(VAULT + path, { method, body: JSON.stringify(body), headers: { Authorization: `Bearer ${token}` } })
    const reader = await bench.reader('bob', 'x/**')
    expect(reader).toBeDefined()
    const made = await bench.send(`${VAULT}/tokens`, { method: 'POST', body: '{"principal":"bob"}' })
    const { token } = (await made.json()) as { token: string }
    expect((await put(token)).status).toBe(403)
    expect(bench.log().at(-1)).toMatchObject({ outcome: 'denied', principal: 'bob', severity: 'warning' })
    expect((await put(bench.token.reveal())).status).toBe(400)
    expect(bench.log().at(-1)).toMatchObject({ outcome: 'unusable', principal: 'admin' })
  })
})
