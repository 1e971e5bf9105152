/** Signing in with the tokens of issuers over HTTP, on every runtime: keys, rotations, outages and conditions. */
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../../core/client/client.ts'
import {
  jwkOf,
  KEYS,
  type Part,
  rs256,
  rsa,
  type Signer,
  tokenWith,
} from '../../unit/core/authentication/issuer_fixture.ts'
import { makeSite, RUNTIMES, type Server, type Site, startServer } from './servers.ts'

const CLAIMS = {
  'kubernetes.io': { namespace: 'billing', serviceaccount: { name: 'api', uid: 'f3b0c1de' } },
  groups: ['developers', 'admins'],
}

const pss = (hash: string, saltLength: number): Signer => {
  const key = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
  return (input) => sign(hash, input, key)
}
const ecdsa = (hash: string, key: KeyObject): Signer => {
  return (input) => sign(hash, input, { key, dsaEncoding: 'ieee-p1363' })
}
const [p256, p384, p521] = ['P-256', 'P-384', 'P-521'].map((namedCurve) => generateKeyPairSync('ec', { namedCurve }))
const ed25519 = generateKeyPairSync('ed25519')

describe.each(RUNTIMES)('on %s', (runtime) => {
  let site: Site
  let server: Server
  let admin: Client
  let http: HttpServer
  let issuer: string
  let count = 0
  const idp = { keys: KEYS as unknown[], status: 200, requests: 0 }

  beforeAll(async () => {
    http = createServer((request, response) => {
      idp.requests++
      // Each issuer has a path of its own, and so keys of its own.
      const [, path = '', name] = request.url!.split('/')
      const own = `${issuer}/${path}`
      const body = name === 'jwks' ? { keys: idp.keys } : { issuer: own, jwks_uri: `${own}/jwks` }
      setTimeout(() => response.writeHead(idp.status).end(JSON.stringify(body)), 100)
    })
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
    site = await makeSite()
    server = await startServer(runtime, site, {
      POSTERN_SECURITY__ALLOW_LOOPBACK_ISSUERS: 'true',
      POSTERN_SECURITY__REFUSAL_RATE: 'none',
    })
    admin = connect({ endpoint: server.endpoint, vault: site.vault, token: site.token })
    await admin.putPrincipal('ci', { kind: 'service' })
  })

  afterAll(async () => {
    http.close()
    await server?.stop()
    site?.remove()
  })

  beforeEach(() => {
    Object.assign(idp, { keys: KEYS, status: 200, requests: 0 })
  })

  /** Trusts an issuer that the server has not seen before. */
  async function trust(more: object = {}) {
    const id = `i${++count}`
    const own = `${issuer}/${id}`
    const conditions = { '/kubernetes.io/serviceaccount/uid': ['f3b0c1de'], groups: ['admins'] }
    await admin.putIssuer(id, { issuer: own, audience: 'us', claims: conditions, principal: 'ci', ...more })
    const send = async (claims: Part = {}, header: Part = {}, signer?: Signer) => {
      const exp = Math.floor(Date.now() / 1000) + 600
      const all = { iss: own, aud: 'us', iat: exp - 600, exp, jti: String(Math.random()), ...CLAIMS, ...claims }
      return fetch(`${server.endpoint}/v1/vaults/default/sessions`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ assertion: tokenWith(all, header, signer) }),
      })
    }
    return { send, status: async (...about: Parameters<typeof send>) => (await send(...about)).status }
  }

  it('signs in many jobs at once while it has no keys yet, with one request for the keys', async () => {
    const { status } = await trust()
    expect(await Promise.all(Array.from({ length: 12 }, () => status()))).toEqual(Array(12).fill(201))
    expect(idp.requests).toBe(2)
  })

  it('signs in with a key that the issuer added a moment ago', async () => {
    const { status } = await trust()
    expect(await status()).toBe(201)
    idp.keys = [...KEYS, jwkOf(rsa.publicKey, 'added')]
    expect(await Promise.all(Array.from({ length: 5 }, () => status({}, { kid: 'added' })))).toEqual(Array(5).fill(201))
    expect(idp.requests).toBe(4)
  })

  it('asks for another try while the issuer fails, and signs in once it answers', async () => {
    const { send, status } = await trust()
    idp.status = 500
    const refused = await send()
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '1'])
    expect(await refused.json()).toMatchObject({ code: 'unavailable', reason: 'issuer_unavailable' })
    expect(await status({ aud: 'them' })).toBe(401)
    idp.status = 200
    expect(await status()).toBe(201)
  })

  it('takes conditions by pointer and of lists, and refuses the neighbours', async () => {
    const { status } = await trust()
    expect(await status({}, { typ: 'application/at+jwt' })).toBe(201)
    expect(await status({ iat: undefined }, { typ: 'JOSE' })).toBe(201)
    for (const wrong of [
      { groups: ['developers'] },
      { groups: 'admins,developers' },
      { 'kubernetes.io': { serviceaccount: { uid: 'other' } } },
      { 'kubernetes.io': { serviceaccount: ['f3b0c1de'] } },
      { 'kubernetes.io': undefined, '/kubernetes.io/serviceaccount/uid': 'f3b0c1de' },
      { aud: ['us', 'them'] },
    ])
      expect([wrong, await status(wrong)]).toEqual([wrong, 401])
  })

  it('takes further audiences and the keys of an unreachable issuer where the trust says so', async () => {
    const { status } = await trust({ audiences: 'any', jwks: { keys: KEYS } })
    idp.status = 500
    expect(await status({ aud: ['them', 'us'] })).toBe(201)
    expect(await status({ aud: ['them'] })).toBe(401)
    expect(idp.requests).toBe(0)
  })

  it.each<[string, KeyObject, Signer]>([
    ['RS256', rsa.publicKey, rs256],
    ['RS384', rsa.publicKey, (input) => sign('RSA-SHA384', input, rsa.privateKey)],
    ['RS512', rsa.publicKey, (input) => sign('RSA-SHA512', input, rsa.privateKey)],
    ['PS256', rsa.publicKey, pss('sha256', 32)],
    ['PS512', rsa.publicKey, pss('sha512', 64)],
    ['ES256', p256!.publicKey, ecdsa('sha256', p256!.privateKey)],
    ['ES384', p384!.publicKey, ecdsa('sha384', p384!.privateKey)],
    ['ES512', p521!.publicKey, ecdsa('sha512', p521!.privateKey)],
    ['EdDSA', ed25519.publicKey, (input) => sign(null, input, ed25519.privateKey)],
  ])('verifies %s with one key without an id, among keys for others', async (alg, key, signer) => {
    const { kid: _, ...nameless } = jwkOf(key, '', { use: 'sig', alg })
    idp.keys = [jwkOf(key, 'enc', { use: 'enc' }), { kty: 'oct', k: 'AAAA' }, nameless, nameless]
    const { status } = await trust()
    expect(await status({}, { alg, kid: undefined }, signer)).toBe(201)
    expect(
      await status({}, { alg, kid: undefined }, (input) => signer(Buffer.concat([input, Buffer.from('x')]))),
    ).not.toBe(201)
  })
})
