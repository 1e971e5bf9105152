import { describe, expect, it } from 'vitest'
import { nonceAt } from '../../../../core/authentication/dpop.ts'
import { makeProof, makeProofKey } from '../../../../core/authentication/dpop_proof.ts'
import { mintToken } from '../../../../core/authentication/token.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { authenticate } from '../../../../worker/http/authenticate.ts'
import type { Services } from '../../../../worker/services.ts'
import { rejectionOf } from '../../../support/core.ts'

const keyring = await Keyring.open(new Redacted(new Uint8Array(32).fill(7)))
const otherRing = await Keyring.open(new Redacted(new Uint8Array(32).fill(8)))
const tokenKey = await keyring.macKey('acme', 'token')
const nonceKey = await keyring.macKey('acme', 'nonce')
const api = mintToken('acme', tokenKey)
const session = mintToken('acme', tokenKey, 'session')
const [API, SESSION] = [api.text.reveal(), session.text.reveal()]
const key = await makeProofKey()
const URL_HERE = 'https://postern.example/v1/vaults/acme/sessions'

const ROOT = keyring.rootId
// authenticate looks at these alone.
const PUBLIC = { publicUrl: 'https://postern.example' }
const partsWith = (settings: object = PUBLIC) =>
  ({ keyring, settings: { bodyTimeoutMs: 1000, ...settings } }) as unknown as Services

/** A fresh proof for a request of these tests. */
const proofFor = (token: string | null, change: Partial<Parameters<typeof makeProof>[1]> = {}) =>
  makeProof(key, { method: 'POST', url: URL_HERE, token, nonce: nonceAt(nonceKey, Date.now()), ...change })

type Given = {
  authorization?: string
  proof?: string
  agent?: string
  signIn?: boolean
  accepts?: 'ticket' | null
  body?: string
  services?: Services
  url?: string
}
function ask(given: Given) {
  const { authorization, proof, agent, signIn = false, accepts = null, services = partsWith(), url = URL_HERE } = given
  const headers = new Headers()
  if (authorization !== undefined) headers.set('Authorization', authorization)
  if (proof !== undefined) headers.set('DPoP', proof)
  if (agent !== undefined) headers.set('User-Agent', agent)
  const request = new Request(url, { method: 'POST', headers, body: given.body ?? null })
  const about = {
    connection: { address: '192.0.2.1' },
    requestId: 'id',
    accepts: signIn ? 'sign-in' : accepts,
  } as const
  return authenticate(services, request, 'acme', about)
}
const bound = { jkt: expect.stringMatching(/^[\w-]{43}$/), id: expect.any(String), expiresAt: expect.any(Number) }

describe('authenticate', () => {
  it('accepts tokens and nonces of a former and of the next root key, names the key, and accepts no others', async () => {
    const [former, next] = [new Redacted(new Uint8Array(32).fill(7)), new Redacted(new Uint8Array(32).fill(9))]
    const nextRing = await Keyring.open(next)
    const both = await Keyring.open(new Redacted(new Uint8Array(32).fill(8)), {
      ...{ formerRootKeys: [former], nextRootKey: next },
    })
    const services = { ...partsWith(), keyring: both } as Services
    const made = await Promise.all(
      [keyring, both, nextRing].map(async (ring) => {
        const { text, hash } = mintToken('acme', await ring.macKey('acme', 'token'))
        return { text: text.reveal(), hash, root: ring.rootId }
      }),
    )
    for (const { text, hash, root } of made) {
      const { caller } = await ask({ authorization: `Bearer ${text}`, services })
      expect(caller.credential).toEqual({ kind: 'token', hash, root })
    }
    const proof = await proofFor(null)
    const { caller } = await ask({ authorization: `Bearer ${made[0]!.text}`, proof, signIn: true, services })
    expect(caller.proof).toEqual(bound)
    const foreign = ask({
      authorization: `Bearer ${made[1]!.text}`,
      proof,
      signIn: true,
      services: { ...services, keyring: otherRing } as Services,
    })
    expect((await rejectionOf(foreign)).detail.reason).toBe('use_dpop_nonce')
    expect(both.rootId).toBe(otherRing.rootId)
    const alone = { ...services, keyring: otherRing } as Services
    const refused = made.map(({ text }) => ask({ authorization: `Bearer ${text}`, services: alone }).catch(() => null))
    expect((await Promise.all(refused)).map((one) => one !== null)).toEqual([false, true, false])
  })

  it("returns the edge's part of a caller, without rights", async () => {
    const { caller, seal } = await ask({ authorization: `Bearer ${API}`, agent: 'test/1' })
    expect(caller).toEqual({
      credential: { kind: 'token', hash: api.hash, root: ROOT },
      proof: null,
      requestId: 'id',
      address: '192.0.2.1',
      agent: 'test/1',
    })
    expect(seal).toBeUndefined()
  })

  const A = `Bearer ${API}`
  const S = `Bearer ${SESSION}`
  const D = `DPoP ${SESSION}`
  // Authorization, the key of the proof (undefined without a proof), at sign-in → credential and proof, or refused.
  it.each<[string, string | undefined, string | null | undefined, boolean, string]>([
    ['an API token as Bearer', A, undefined, false, 'token'],
    ['an API token at sign-in', A, undefined, true, 'token'],
    ['an API token at sign-in with a proof', A, null, true, 'token, bound'],
    ['an API token with a proof elsewhere', A, null, false, 'refused'],
    ['an API token as Bearer with a proof of it', A, API, true, 'refused'],
    ['an API token as DPoP', `DPoP ${API}`, API, false, 'refused'],
    ['an API token as DPoP at sign-in', `DPoP ${API}`, API, true, 'refused'],
    ['an API token as DPoP without a proof', `DPoP ${API}`, undefined, false, 'refused'],
    ['a session as Bearer', S, undefined, false, 'session'],
    ['row 30: a session as Bearer with a proof', S, SESSION, false, 'refused'],
    ['row 30: a session as Bearer with a proof of nothing', S, null, false, 'refused'],
    ['a session as DPoP with a proof', D, SESSION, false, 'session, bound'],
    ['a session as DPoP without a proof', D, undefined, false, 'refused'],
    ['a session as DPoP without a proof at sign-in', D, undefined, true, 'refused'],
    ['a session as DPoP with a proof of another token', D, API, false, 'refused'],
    ['a session as DPoP with a proof of nothing', D, null, false, 'refused'],
    ['nothing', undefined, undefined, false, 'refused'],
    ['nothing with a proof', undefined, null, false, 'refused'],
    ['nothing at sign-in', undefined, undefined, true, 'nobody'],
    ['nothing at sign-in with a proof', undefined, null, true, 'nobody, bound'],
    ['nothing at sign-in with a proof of a token', undefined, API, true, 'refused'],
    ['schemes in another case', `bEARER ${API}`, undefined, false, 'token'],
    ['DPoP in another case', `dpop ${SESSION}`, SESSION, false, 'session, bound'],
  ])('%s', async (_, authorization, proven, signIn, expected) => {
    const proof = proven === undefined ? undefined : await proofFor(proven)
    const given = { ...(authorization && { authorization }), ...(proof && { proof }), signIn }
    if (expected === 'refused') {
      expect((await rejectionOf(ask(given))).code).toBe('unauthenticated')
      return
    }
    const { caller } = await ask(given)
    const [kind, withProof] = expected.split(', ')
    const hash = kind === 'token' ? api.hash : session.hash
    expect(caller.credential).toEqual(kind === 'nobody' ? null : { kind, hash, root: ROOT })
    expect(caller.proof).toEqual(withProof ? bound : null)
  })

  it.each([
    ['no scheme', API],
    ['another scheme', `Basic ${API}`],
    ['two spaces', `Bearer  ${API}`],
    ['two tokens', `Bearer ${API}, Bearer ${API}`],
    ['a scheme alone', 'Bearer'],
    ['a token of another shape', 'Bearer nope'],
    ['a token of 201 characters', `Bearer ${'a'.repeat(201)}`],
    ['a token with another tag', `Bearer ${API.slice(0, -1)}${API.endsWith('A') ? 'B' : 'A'}`],
    ['a token of another vault', `Bearer ${mintToken('other', tokenKey).text.reveal()}`],
    ['a session token that says to be an API token', `Bearer ${SESSION.replace('pss_', 'pst_')}`],
    ['nothing', ''],
  ])('refuses %s, also at sign-in, and does not quote it', async (_, authorization) => {
    for (const signIn of [false, true]) {
      const error = await rejectionOf(ask({ authorization, signIn }))
      expect(error.code).toBe('unauthenticated')
      expect(JSON.stringify(error.detail) + error.message).not.toContain(API)
    }
  })

  it('row 37: refuses a token of another root key', async () => {
    const theirs = mintToken('acme', await otherRing.macKey('acme', 'token')).text.reveal()
    expect((await rejectionOf(ask({ authorization: `Bearer ${theirs}` }))).code).toBe('unauthenticated')
  })

  it('row 30: accepts a proof for the public URL, and refuses one for the URL behind a proxy', async () => {
    const url = URL_HERE.replace('https://postern.example', 'http://127.0.0.1:8787')
    const authorization = `DPoP ${SESSION}`
    expect((await ask({ authorization, url, proof: await proofFor(SESSION) })).caller.proof).toEqual(bound)
    const inside = await proofFor(SESSION, { url })
    expect((await rejectionOf(ask({ authorization, url, proof: inside }))).code).toBe('unauthenticated')
    const local = partsWith({})
    expect((await ask({ authorization, url, proof: inside, services: local })).caller.proof).toEqual(bound)
  })

  it('refuses a proof for a host that only the client names, except on loopback', async () => {
    const authorization = `DPoP ${SESSION}`
    const asked = ask({ authorization, proof: await proofFor(SESSION), services: partsWith({}) })
    expect((await rejectionOf(asked)).code).toBe('bad_request')
    expect((await ask({ authorization: `Bearer ${API}`, services: partsWith({}) })).caller.proof).toBeNull()
  })

  it('row 30: refuses a nonce of another vault, and demands a nonce', async () => {
    const nonce = nonceAt(await keyring.macKey('other', 'nonce'), Date.now())
    const error = await rejectionOf(
      ask({ authorization: `DPoP ${SESSION}`, proof: await proofFor(SESSION, { nonce }) }),
    )
    expect(error.detail.reason).toBe('use_dpop_nonce')
  })

  it('row 30: refuses two proofs, which arrive as one header', async () => {
    const proof = `${await proofFor(SESSION)}, ${await proofFor(SESSION)}`
    expect((await rejectionOf(ask({ authorization: `DPoP ${SESSION}`, proof }))).code).toBe('unauthenticated')
  })

  it('remembers a proof for longer than its nonce is accepted', async () => {
    const before = Date.now()
    const { caller } = await ask({ authorization: `DPoP ${SESSION}`, proof: await proofFor(SESSION) })
    expect(caller.proof!.expiresAt).toBeGreaterThanOrEqual(before + 120_000)
  })

  it('returns the key that a proof wants the answer sealed to', async () => {
    const authorization = `DPoP ${SESSION}`
    expect((await ask({ authorization, proof: await proofFor(SESSION, { seal: 'thumbprint' }) })).seal).toBe(
      'thumbprint',
    )
    expect((await ask({ authorization, proof: await proofFor(SESSION) })).seal).toBeNull()
  })

  it('row 45: cleanses the user agent for the log', async () => {
    const agentOf = async (agent: string) => (await ask({ authorization: `Bearer ${API}`, agent })).caller.agent
    expect(await agentOf('a\tb\u0085c')).toBe('a\ufffdb\ufffdc')
    expect(await agentOf('x'.repeat(1000))).toBe('x'.repeat(256))
    expect((await ask({ authorization: `Bearer ${API}` })).caller.agent).toBeNull()
  })
})
