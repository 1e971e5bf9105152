/** Callers without rights: the answers that they get, what these reveal, and the entries about them. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { nonceAt } from '../../../../core/authentication/dpop.ts'
import { makeProof, makeProofKey } from '../../../../core/authentication/dpop_proof.ts'
import { mintToken } from '../../../../core/authentication/token.ts'
import { signIn } from '../../../../core/client/client.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { operations, requests } from '../../../fuzz/requests.ts'
import { canary } from '../../../support/canary.ts'
import { memoryProvider } from '../../../support/memory_provider.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

/**
 * The only calls without an entry: proofs and keys of the log, which are hashes, and whose entries would make it grow with
 * each proof; the caller's own entries; and stats.
 */
const QUIET =
  /^(?:proveEntry|proveInclusion|proveConsistency|readTile|showCheckpoint|showLogKeys|listOwnEntries|showGauges): \w+ has no entry$/

const AT = { endpoint: 'http://127.0.0.1', vault: 'default' }

async function open(providers: Parameters<typeof openApp>[0] = null) {
  const bench = await openApp(providers, { environment: { POSTERN_SECURITY__REFUSAL_RATE: 'none' } })
  await bench.send(bench.secret('prod/db'), { method: 'PUT', body: JSON.stringify({ value: canary() }) })
  return bench
}

/** The id of another caller's approval request. */
async function anApproval({ admin, send, secret }: Awaited<ReturnType<typeof open>>): Promise<string> {
  for (const id of ['ann', 'bob']) await admin.putPrincipal(id, { kind: 'user' })
  const unless = { approvals: { required: 1, from: ['ann', 'bob'] } }
  await admin.putRule('eyes', {
    ...{ effect: 'forbid', principal: 'admin', actions: ['read'], resource: 'prod/other', unless },
  })
  await admin.put('prod/other', new Redacted('x'))
  const asked = await send(secret('prod/other'), { headers: { Approval: 'ask', 'Approval-Reason': 'why not' } })
  const { approval } = (await asked.json()) as { approval: { id: string } }
  return approval.id
}

/** An answer without the parts that differ each time. */
async function faceOf(response: Response): Promise<string> {
  const { requestId: _, auditIndex: __, ...body } = (await response.json()) as Record<string, unknown>
  const headers = [...response.headers].filter(([name]) => name !== 'request-id' && name !== 'audit-index').sort()
  return JSON.stringify([response.status, body, headers])
}

describe('strangers', () => {
  it('row 24: get the same answer, of every kind', async () => {
    const bench = await open()
    const { admin } = bench
    const tokenOf = async (principal: string) => {
      await admin.putPrincipal(principal, { kind: 'user' })
      return admin.createToken({ principal })
    }
    const [revoked, disabled, expired] = [await tokenOf('rev'), await tokenOf('dis'), await tokenOf('exp')]
    await admin.revokeToken(revoked.accessor)
    await admin.putPrincipal('dis', { kind: 'user', disabled: true })
    bench.sql.all('UPDATE token SET expires_at = 1 WHERE accessor = ?', expired.accessor)
    const {
      session,
      token: signedOut,
      client,
    } = await signIn({ endpoint: 'http://127.0.0.1', vault: 'default', token: bench.token, fetch: bench.answer })
    expect(session.principal).toBe('admin')
    await client.signOut()
    const known = revoked.token.reveal()
    const other = mintToken('default', await bench.keyring.macKey('default', 'token')).text
    const elsewhere = mintToken('other', await bench.keyring.macKey('other', 'token')).text
    const tokens: Record<string, string> = {
      'no token at all': 'nonsense',
      'a wrong tag': `${known.slice(0, -8)}00000000`,
      'a token of another vault': elsewhere.reveal(),
      'one that was never given out': other.reveal(),
      revoked: known,
      'of a disabled principal': disabled.token.reveal(),
      expired: expired.token.reveal(),
      'a session that was signed out': signedOut.reveal(),
    }
    for (const [method, path] of [
      ['GET', bench.secret('prod/db')],
      ['GET', bench.secret('none')],
      ['POST', '/v1/vaults/default/sessions'],
      ['GET', '/v1/vaults/default/audit/entries'],
    ] as const) {
      const faces = await Promise.all(
        Object.entries(tokens).map(async ([kind, token]) => {
          const response = await bench.send(path, { method, headers: { Authorization: `Bearer ${token}` } })
          return [kind, await faceOf(response)] as const
        }),
      )
      expect(faces[0]![1]).toContain('[401,')
      expect([path, faces.filter(([, face]) => face !== faces[0]![1]).map(([kind]) => kind)]).toEqual([path, []])
    }
  })

  it('row 24: cost the same work, and a refused sign-in takes the same time for every cause', async () => {
    const bench = await open()
    const { admin } = bench
    const tokenOf = async (principal: string) => {
      await admin.putPrincipal(principal, { kind: 'user' })
      return admin.createToken({ principal })
    }
    const [revoked, disabled] = [await tokenOf('rev'), await tokenOf('dis')]
    await admin.revokeToken(revoked.accessor)
    await admin.putPrincipal('dis', { kind: 'user', disabled: true })
    const unknown = mintToken('default', await bench.keyring.macKey('default', 'token')).text
    const asked = vi.spyOn(bench.sql, 'all')
    const costs = async (token: string, path: string, method: string) => {
      asked.mockClear()
      const response = await bench.send(path, { method, headers: { Authorization: `Bearer ${token}` } })
      expect(response.status).toBe(401)
      return asked.mock.calls.map(([query]) => query)
    }
    const tokens = [unknown, revoked.token, disabled.token].map((token) => token.reveal())
    for (const [path, method] of [
      [bench.secret('prod/db'), 'GET'],
      [bench.secret('none'), 'GET'],
    ] as const) {
      // The first refusal of a formerly valid token is recorded.
      for (const token of tokens) await costs(token, path, method)
      const all: string[][] = []
      for (const token of tokens) all.push(await costs(token, path, method))
      expect(all[0]!.length).toBeGreaterThan(0)
      expect(all).toEqual(tokens.map(() => all[0]))
    }
    asked.mockRestore()
  })

  it('row 24: wait as long for a wrong code as for a lock and for an unknown token, with a stopped clock', async () => {
    const bench = await openApp(null, {
      environment: { POSTERN_SECURITY__REFUSAL_RATE: 'none', POSTERN_SECURITY__MAX_FAILED_ATTEMPTS: '1' },
    })
    const revoked = await bench.admin.createToken({ principal: 'admin' })
    await bench.admin.revokeToken(revoked.accessor)
    const ofRevoked = { Authorization: `Bearer ${revoked.token.reveal()}` }
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const timers = vi.spyOn(globalThis, 'setTimeout')
    try {
      for (const [what, init] of [
        ['no factor', { body: '{"code":"000000"}' }],
        ['a lock', { body: '{"code":"000000"}' }],
        ['a recovery code', { body: '{"recoveryCode":"aaaa-aaaa-aaaa-aaaa"}' }],
        ['a token that was revoked', { body: '{}', headers: ofRevoked }],
        ['an assertion beside a token', { body: '{"assertion":"e30.e30.e30"}' }],
      ] as const) {
        let status = 0
        timers.mockClear()
        const path = '/v1/vaults/default/sessions'
        const answered = bench.send(path, { method: 'POST', ...init }).then((response) => {
          status = response.status
        })
        const waits = () => timers.mock.calls.some(([, ms]) => ms === 150)
        while (status === 0 && !waits()) await new Promise((resolve) => setImmediate(resolve))
        await vi.advanceTimersByTimeAsync(149)
        expect([what, status]).toEqual([what, 0])
        await vi.advanceTimersByTimeAsync(1)
        await answered
        expect([what, status >= 400]).toEqual([what, true])
      }
    } finally {
      timers.mockRestore()
      vi.useRealTimers()
    }
  })

  it('row 37: cannot tell existing ids from missing ones', async () => {
    const bench = await open({ aws: memoryProvider() })
    const { admin } = bench
    await admin.putPrincipal('nobody', { kind: 'user' })
    await admin.putPrincipal('there', { kind: 'user' })
    await admin.putRule('there', { effect: 'permit', principal: 'there', actions: ['read'], resource: 'a/*' })
    await admin.putHook('there', { url: 'https://hooks.example/x' })
    await admin.putRotation('prod/db', { rotateEvery: 'P30D', target: { kind: 'generate' } })
    await admin.putIssuer('there', {
      ...{ issuer: 'https://login.example', audience: 'us', claims: { sub: ['x'] }, principal: 'there' },
    })
    await admin.putChain('there', { resource: 'far/**', members: [{ provider: 'aws' }] })
    const theirs = await admin.createToken({ principal: 'there' })
    const { session } = await signIn({ ...AT, token: theirs.token, fetch: bench.answer })
    const approval = await anApproval(bench)
    const { token } = await admin.createToken({ principal: 'nobody' })
    const ids = (accessor: string, id: string, name: string): Record<string, string> => ({
      ...{ vault: 'default', accessor, id, name, index: '0', tile: '0/000.p/1' },
    })
    const none = ids(crypto.randomUUID(), 'absent', 'prod/none')
    const absent = (path: string) => (path.includes('/approvals/') ? { ...none, id: crypto.randomUUID() } : none)
    const present = (path: string) =>
      ids(
        path.includes('/sessions/') ? session.accessor : theirs.accessor,
        path.includes('/approvals/') ? approval : 'there',
        'prod/db',
      )
    const fill = (path: string, by: Record<string, string>) => path.replace(/\{(\w+)\}/g, (_, name) => by[name] ?? '0')
    const wellMade = new Map(
      fc.sample(requests('x', 0), { numRuns: 3000, seed: 37 }).map(({ operation, body }) => [operation, body]),
    )
    const told: string[] = []
    let asked = 0
    for (const { path, method, operation } of operations) {
      if (!/\{(?:id|accessor|name)\}/.test(path)) continue
      const body = wellMade.get(operation.operationId) ?? null
      const ask = async (by: Record<string, string>) =>
        bench.send(fill(path, by), {
          method: method.toUpperCase(),
          headers: { Authorization: `Bearer ${token.reveal()}` },
          ...(body !== null && { body: body.replace(/~[a-z]+~/g, 'none') }),
        })
      const [there, not] = [await ask(present(path)), await ask(absent(path))]
      asked++
      if (there.ok) told.push(`${operation.operationId}: done`)
      if ((await faceOf(there)) !== (await faceOf(not)))
        told.push(`${operation.operationId}: ${there.status}, ${not.status}`)
    }
    expect(told).toEqual([])
    expect(asked).toBeGreaterThan(25)
    // This would also hold if all ids were missing: a caller with rights can tell them apart.
    const seen = operations.filter(({ path, method }) => method === 'get' && /\{(?:id|name)\}$/.test(path))
    expect(seen.length).toBeGreaterThan(2)
    for (const { path } of seen) {
      const [there, not] = [await bench.send(fill(path, present(path))), await bench.send(fill(path, absent(path)))]
      expect([path, there.status, not.status]).toEqual([path, 200, 404])
    }
  })
})

describe('row 60: every way in', () => {
  const WAYS = ['token', 'session', 'token without rights', 'session without rights', 'bound session'] as const

  /** A vault and a credential, for each request: an administrator may revoke its own. */
  async function openAs(way: (typeof WAYS)[number]) {
    const bench = await open()
    await bench.admin.putPrincipal('nobody', { kind: 'user' })
    const theirs = (await bench.admin.createToken({ principal: 'nobody' })).token
    const token = way.endsWith('without rights') ? theirs : bench.token
    if (way.startsWith('token')) return { ...bench, proves: bearer(token) }
    if (way !== 'bound session')
      return { ...bench, proves: bearer((await signIn({ ...AT, token, fetch: bench.answer })).token) }
    const key = await makeProofKey()
    const bound = (await signIn({ ...AT, token, key, fetch: bench.answer })).token.reveal()
    const nonceKey = await bench.keyring.macKey('default', 'nonce')
    const proves = async (method: string, path: string) => {
      const about = { method, url: `http://127.0.0.1${path}`, token: bound, nonce: nonceAt(nonceKey, Date.now()) }
      return { Authorization: `DPoP ${bound}`, DPoP: await makeProof(key, about) }
    }
    return { ...bench, proves }
  }

  function bearer(token: Redacted<string>) {
    return async (_method: string, _path: string): Promise<Record<string, string>> => ({
      Authorization: `Bearer ${token.reveal()}`,
    })
  }

  it.each(WAYS)('by a %s has an entry for each decision, which the answer names', { timeout: 300_000 }, async (way) => {
    let bench = await openAs(way)
    const passed = new Set<string>()
    const decided = new Set<string>()
    for (const asked of fc.sample(requests('x', 0), { numRuns: 1500, seed: 60 })) {
      const { operation, method, path, headers, body } = asked
      // No client can send these.
      if (headers.some(([, value]) => !/^[\x20-\x7e]*$/.test(value))) continue
      const [{ n: before } = { n: 0 }] = bench.sql.all<{ n: number }>('SELECT COUNT(*) AS n FROM entry')
      const filled = path.replace(/~[a-z]+~/g, 'none')
      const response = await bench.send(filled, {
        method,
        headers: { ...Object.fromEntries(headers), ...(await bench.proves(method, filled)) },
        ...(body !== null && { body: body.replace(/~[a-z]+~/g, 'none') }),
      })
      const { code } = response.ok ? { code: 'ok' } : ((await response.json()) as { code: string })
      if (code === 'unauthenticated') bench = await openAs(way)
      if (!path.startsWith('/v1/vaults/') || ['bad_request', 'unauthenticated', 'unavailable'].includes(code)) continue
      decided.add(operation)
      const id = response.headers.get('Request-Id')
      const index = response.headers.get('Audit-Index')
      const own = bench.sql
        .all<{ n: number; body: Uint8Array }>('SELECT n, body FROM entry WHERE n >= ?', before)
        .filter((entry) => JSON.parse(Buffer.from(entry.body).toString()).request === id)
      if (own.length === 0) passed.add(`${operation}: ${code} has no entry`)
      if (index !== null && !own.some(({ n }) => n === Number(index))) passed.add(`${operation}: names another`)
    }
    expect([...passed].filter((one) => !QUIET.test(one))).toEqual([])
    // This would also hold if all requests were refused as malformed.
    expect(decided.size).toBeGreaterThan(40)
  })
})
