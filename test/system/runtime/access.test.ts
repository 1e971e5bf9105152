/** Access over HTTP, on every runtime: sessions, second factors, bound tokens, sealed answers, locks. */
import { type TOTP, URI } from 'otpauth'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeProof, makeProofKey } from '../../../core/authentication/dpop_proof.ts'
import { type Client, connect, signIn } from '../../../core/client/client.ts'
import { makeSealKey } from '../../../core/crypto/seal_key.ts'
import { PosternError } from '../../../core/errors.ts'
import { Redacted } from '../../../core/redacted.ts'
import { authenticator } from '../../support/authenticator.ts'
import { wholeLog } from '../../support/whole_log.ts'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'

const hidden = (text: string) => new Redacted(text)

async function failure(promise: Promise<unknown>): Promise<PosternError> {
  const error = await promise.then(
    () => 'resolved',
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(PosternError)
  return error as PosternError
}

describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let admin: Client

  const settings = { POSTERN_SECURITY__MAX_FAILED_ATTEMPTS: '5', POSTERN_SECURITY__REFUSAL_RATE: 'none' }
  const at = () => ({ endpoint: server.endpoint, vault: site.vault })
  const send = (method: string, path: string, headers: Record<string, string>, body?: unknown) =>
    fetch(`${server.endpoint}/v1/vaults/default/${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })

  /** A new principal with a right to read, and its API token. */
  async function newcomer(id: string): Promise<Redacted<string>> {
    await admin.putPrincipal(id, { kind: 'user' })
    await admin.putRule(id, { effect: 'permit', principal: id, actions: ['read'], resource: 'prod/*' })
    return (await admin.createToken({ principal: id })).token
  }

  beforeAll(async () => {
    site = await makeSite()
    server = await startServer(runtime, site, settings)
    admin = connect({ ...at(), token: site.token })
    await admin.put('prod/db', hidden('value'))
  })

  afterAll(async () => {
    await server?.stop()
    site?.remove()
  })

  it('row 36: exchanges a token for a session, says who it is, and ends it at once', async () => {
    const token = await newcomer('ann')
    const { client, session } = await signIn({ ...at(), token })
    expect(session).toMatchObject({ principal: 'ann', tokenType: 'Bearer', idleSeconds: 1800 })
    expect(await client.whoami()).toMatchObject({ principal: 'ann', method: 'session', bound: false, totp: false })
    expect((await client.get('prod/db')).value.reveal()).toBe('value')
    expect((await client.sessions('ann')).items).toHaveLength(1)
    await client.signOut()
    expect((await failure(client.get('prod/db'))).code).toBe('unauthenticated')
  })

  it('row 36: refuses a session from the next request on: principal disabled, token revoked, rule gone, all ended', async () => {
    const token = await newcomer('ben')
    const open = async () => (await signIn({ ...at(), token })).client
    const first = await open()
    await admin.putPrincipal('ben', { kind: 'user', disabled: true })
    expect((await failure(first.get('prod/db'))).code).toBe('unauthenticated')
    await admin.putPrincipal('ben', { kind: 'user' })
    expect((await failure(first.get('prod/db'))).code).toBe('unauthenticated')
    await admin.putPrincipal('ben', { kind: 'user', disabled: false })
    const second = await open()
    await admin.deleteRule('ben')
    expect((await failure(second.get('prod/db'))).code).toBe('denied')
    expect(await admin.endSessions('ben')).toEqual({ sessions: 2 })
    expect((await failure(second.whoami())).code).toBe('unauthenticated')
    const { accessor, token: other } = await admin.createToken({ principal: 'ben' })
    const third = (await signIn({ ...at(), token: other })).client
    await admin.revokeToken(accessor)
    expect((await failure(third.whoami())).code).toBe('unauthenticated')
  })

  it('asks for a second factor where a rule does, and takes each code and each recovery code once', async () => {
    const token = await newcomer('cat')
    await admin.putRule('cat', {
      effect: 'permit',
      principal: 'cat',
      actions: ['read'],
      resource: 'prod/*',
      conditions: { mfaWithinSeconds: 600 },
    })
    const plain = (await signIn({ ...at(), token })).client
    expect((await failure(plain.get('prod/db'))).code).toBe('mfa_required')
    const { uri, qr } = await plain.enrolTotp()
    expect(uri.reveal()).toMatch(/^otpauth:\/\/totp\/postern:cat%40default\?/)
    expect(qr.reveal()).toContain('<svg')
    const nextCode = authenticator(uri)
    const { recoveryCodes } = await plain.confirmTotp(await nextCode())
    const code = await nextCode()
    const { client, session } = await plain.stepUp({ code })
    expect(session.mfaAt).toBeDefined()
    expect((await client.get('prod/db')).value.reveal()).toBe('value')
    // The old session is gone, and so is the code.
    expect((await failure(plain.whoami())).code).toBe('unauthenticated')
    expect((await failure(signIn({ ...at(), token, code }))).code).toBe('unauthenticated')
    const [recoveryCode = ''] = recoveryCodes.reveal()
    const recovered = await signIn({ ...at(), token, recoveryCode })
    expect((await recovered.client.whoami()).recoveryCodesLeft).toBe(9)
    expect((await failure(signIn({ ...at(), token, recoveryCode }))).code).toBe('unauthenticated')
    // A thief of the token alone cannot replace the second factor.
    const stolen = (await signIn({ ...at(), token })).client
    expect((await failure(stolen.enrolTotp())).code).toBe('mfa_required')
    await admin.resetFactors('cat')
    expect((await failure(recovered.client.whoami())).code).toBe('unauthenticated')
  })

  it('row 29: accepts one of five parallel uses of one code', async () => {
    const token = await newcomer('dan')
    const plain = (await signIn({ ...at(), token })).client
    const nextCode = authenticator((await plain.enrolTotp()).uri)
    await plain.confirmTotp(await nextCode())
    const code = await nextCode()
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => signIn({ ...at(), token, code })))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('row 29: accepts a code of the next step once, and locks neither for its repetition nor for a code of an earlier time', async () => {
    const token = await newcomer('gil')
    const plain = (await signIn({ ...at(), token })).client
    const { uri } = await plain.enrolTotp()
    const totp = URI.parse(uri.reveal()) as TOTP
    const codeIn = (seconds: number) => totp.generate({ timestamp: Date.now() + seconds * 1000 })
    await plain.confirmTotp(codeIn(0))
    const early = codeIn(30)
    const written = `${early.slice(0, 3)} ${early.slice(3)}`
    expect((await signIn({ ...at(), token, code: written })).session.mfaAt).toBeDefined()
    for (let i = 0; i < 6; i++)
      expect((await failure(signIn({ ...at(), token, code: early }))).code).toBe('unauthenticated')
    for (let i = 0; i < 6; i++)
      expect((await failure(signIn({ ...at(), token, code: codeIn(-300) }))).code).toBe('unauthenticated')
    expect((await admin.locks()).items.filter(({ principal }) => principal === 'gil')).toEqual([])
    const facts = (await wholeLog(admin)).entries
      .filter(({ principal }) => principal === 'gil')
      .map((entry) => entry.facts)
    expect(facts.filter(({ codeUsed }) => codeUsed === true)).toHaveLength(6)
    expect(facts.filter(({ stepsAhead }) => Number(stepsAhead) <= -9)).toHaveLength(6)
  })

  it('rows 21, 22, 24: of 100 parallel wrong codes 5 are verified, however written; the answers are all alike', async () => {
    const token = await newcomer('eve')
    const plain = (await signIn({ ...at(), token })).client
    const nextCode = authenticator((await plain.enrolTotp()).uri)
    await plain.confirmTotp(await nextCode())
    const spellings = ['000000', '0 00000', '000000 ', '０００００0', '00000', '000000\n']
    const bodies = Array.from({ length: 100 }, (_, i) => ({ code: spellings[i % spellings.length] }))
    const bearer = { Authorization: `Bearer ${token.reveal()}` }
    const wrong = await Promise.all(bodies.map((body) => send('POST', 'sessions', bearer, body)))
    const code = await nextCode()
    const locked = await send('POST', 'sessions', bearer, { code })
    const { accessor, token: revoked } = await admin.createToken({ principal: 'eve' })
    await admin.revokeToken(accessor)
    const unknown = await send('POST', 'sessions', { Authorization: `Bearer ${revoked.reveal()}` }, { code: '000000' })
    const faces = await Promise.all(
      [...wrong, locked, unknown].map(async (response) => {
        const { requestId: _, ...body } = await response.json()
        const varying = ['date', 'request-id', 'connection', 'keep-alive']
        const headers = [...response.headers].filter(([name]) => !varying.includes(name))
        return JSON.stringify([response.status, body, headers.sort()])
      }),
    )
    expect([...new Set(faces)]).toHaveLength(1)
    expect(faces[0]).toContain('[401,')
    const { entries } = await wholeLog(admin)
    const verified = entries.filter(({ operation, principal }) => operation === 'totp.fail' && principal === 'eve')
    expect(verified).toHaveLength(5)
    expect((await admin.locks()).items.map(({ principal }) => principal)).toContain('eve')
    await admin.unlock('eve')
    expect((await admin.locks()).items.filter(({ principal }) => principal === 'eve')).toEqual([])
    expect((await signIn({ ...at(), token, code })).session.principal).toBe('eve')
  })

  it('row 23: a victim on a known key gets in while an attacker holds the lock', async () => {
    const token = await newcomer('fay')
    const key = await makeProofKey()
    const plain = (await signIn({ ...at(), token, key })).client
    const nextCode = authenticator((await plain.enrolTotp()).uri)
    await plain.confirmTotp(await nextCode())
    for (let i = 0; i < 6; i++) await failure(signIn({ ...at(), token, code: '000000' }))
    const code = await nextCode()
    expect((await failure(signIn({ ...at(), token, code }))).code).toBe('unauthenticated')
    expect((await signIn({ ...at(), token, key, code })).session).toMatchObject({ principal: 'fay', tokenType: 'DPoP' })
  })

  it('binds a session to a key, and seals what it reads', async () => {
    const token = await newcomer('gil')
    const key = await makeProofKey()
    const { client, session, token: bound } = await signIn({ ...at(), token, key, seal: true })
    expect(session.tokenType).toBe('DPoP')
    expect((await client.get('prod/db')).value.reveal()).toBe('value')
    const [item] = await client.hydrate(['postern://default/prod/db'])
    expect(item && 'secret' in item && item.secret.value.reveal()).toBe('value')
    // The token alone is of no use, nor with another key, nor an unbound one with a proof.
    expect((await failure(connect({ ...at(), token: bound }).whoami())).code).toBe('unauthenticated')
    const other = await makeProofKey()
    expect((await failure(connect({ ...at(), token: bound, key: other }).whoami())).code).toBe('unauthenticated')
    const unbound = await signIn({ ...at(), token })
    expect((await failure(connect({ ...at(), token: unbound.token, key }).whoami())).code).toBe('unauthenticated')
    expect((await failure(connect({ ...at(), token, key }).whoami())).code).toBe('unauthenticated')
  })

  it('row 30: refuses every proof but a fresh one for this very request', async () => {
    const token = await newcomer('hal')
    const key = await makeProofKey()
    const { token: session } = await signIn({ ...at(), token, key })
    const url = `${server.endpoint}/v1/vaults/default/sessions/current`
    const ask = (DPoP: string, scheme = 'DPoP') => {
      return send('GET', 'sessions/current', { Authorization: `${scheme} ${session.reveal()}`, DPoP })
    }
    const withoutNonce = await ask(await makeProof(key, { method: 'GET', url, token: session.reveal(), nonce: null }))
    expect([withoutNonce.status, withoutNonce.headers.get('WWW-Authenticate')]).toEqual([
      401,
      'DPoP error="use_dpop_nonce"',
    ])
    const nonce = withoutNonce.headers.get('DPoP-Nonce')
    const right = { method: 'GET', url, token: session.reveal(), nonce }
    const proof = (change = {}) => makeProof(key, { ...right, ...change })
    const good = await proof()
    expect((await ask(good)).status).toBe(200)
    const replays = await Promise.all([ask(good), ask(good)])
    expect(replays.map(({ status }) => status)).toEqual([401, 401])
    const twice = await proof()
    const racing = await Promise.all(Array.from({ length: 5 }, () => ask(twice)))
    expect(racing.filter(({ status }) => status === 200)).toHaveLength(1)
    const wrong = [
      proof({ method: 'POST' }),
      proof({ url: `${url}/x` }),
      proof({ url: url.replace('127.0.0.1', 'localhost') }),
      proof({ token: 'another' }),
      proof({ token: null }),
      proof({ nonce: 'AAAA' }),
      proof().then((one) => `${one}, ${one}`),
      proof().then((one) => one.slice(0, -4)),
    ]
    for (const pending of wrong) expect((await ask(await pending)).status).toBe(401)
    expect((await ask(await proof(), 'Bearer')).status).toBe(401)
    expect((await ask(await proof())).status).toBe(200)
  })

  it('row 55: seals to the key that the proof names, and to no other', async () => {
    const token = await newcomer('ivy')
    const key = await makeProofKey()
    const { token: session } = await signIn({ ...at(), token, key })
    const url = `${server.endpoint}/v1/vaults/default/secrets/prod/db`
    const [mine, proxys] = [await makeSealKey(), await makeSealKey()]
    const first = await send('GET', 'secrets/prod/db', {
      Authorization: `DPoP ${session.reveal()}`,
      DPoP: await makeProof(key, { method: 'GET', url, token: session.reveal(), nonce: null }),
    })
    const nonce = first.headers.get('DPoP-Nonce')
    const ask = async (header: string | undefined, seal: string | undefined) => {
      const about = { method: 'GET', url, token: session.reveal(), nonce, ...(seal && { seal }) }
      const sealTo: Record<string, string> = header === undefined ? {} : { 'Postern-Seal-To': header }
      return send('GET', 'secrets/prod/db', {
        Authorization: `DPoP ${session.reveal()}`,
        DPoP: await makeProof(key, about),
        ...sealTo,
      })
    }
    const sealed = await ask(mine.header, mine.thumbprint)
    expect([sealed.status, sealed.headers.get('Content-Type')]).toEqual([200, 'application/jose'])
    expect(await sealed.text()).not.toContain('value')
    expect((await ask(proxys.header, mine.thumbprint)).status).toBe(400)
    expect((await ask(undefined, mine.thumbprint)).status).toBe(400)
    expect((await ask(proxys.header, undefined)).status).toBe(400)
    expect((await ask('bm9wZQ', undefined)).status).toBe(400)
  })

  it('decides by conditions, and explains what it would decide', async () => {
    const token = await newcomer('jon')
    const rule = { effect: 'permit' as const, principal: 'jon', actions: ['read' as const], resource: 'prod/*' }
    const { client } = await signIn({ ...at(), token })
    await admin.putRule('jon', { ...rule, conditions: { addresses: ['10.0.0.0/8'] } })
    expect((await failure(client.get('prod/db'))).code).toBe('denied')
    const about = { principal: 'jon', action: 'read', resource: 'prod/db' } as const
    expect(await admin.explain({ ...about, address: '10.1.2.3' })).toMatchObject({ allow: true, rule: 'jon' })
    expect(await admin.explain({ ...about, address: '11.1.2.3' })).toEqual({
      allow: false,
      rule: null,
      considered: [{ id: 'jon', effect: 'permit', applies: false }],
    })
    await admin.putRule('jon', { ...rule, conditions: { methods: ['session'] } })
    expect((await client.get('prod/db')).value.reveal()).toBe('value')
    expect((await failure(connect({ ...at(), token }).get('prod/db'))).code).toBe('denied')
    const hostBits = await failure(admin.putRule('jon', { ...rule, conditions: { addresses: ['192.168.1.0/16'] } }))
    expect(hostBits.message).toContain('192.168.0.0/16')
  })

  it('row 37: gives nothing of one principal to another, by any id', async () => {
    const { client: kim } = await signIn({ ...at(), token: await newcomer('kim') })
    const { session } = await signIn({ ...at(), token: await newcomer('leo') })
    const absent = crypto.randomUUID()
    const [theirs, none] = [await failure(kim.endSession(session.accessor)), await failure(kim.endSession(absent))]
    expect([theirs.code, theirs.message]).toEqual([none.code, none.message])
    const asks = [kim.sessions(), kim.sessions('leo'), kim.endSessions('leo'), kim.locks(), kim.auditEntries()]
    for (const { code } of await Promise.all(asks.map(failure))) expect(code).toBe('denied')
    expect((await admin.sessions('leo')).items).toHaveLength(1)
  })
})
