/**
 * An OpenID provider: its keys, its documents and the assertions that it signs.
 *
 * @module
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { verifyAssertion } from '../../../../core/authentication/federation.ts'
import { IssuerKeys } from '../../../../core/authentication/issuer_keys.ts'
import type { Issuer } from '../../../../core/vault/access/issuer_store.ts'

export const NOW = 1_760_000_000_000

export const SECONDS = NOW / 1000

export const ISSUER = 'https://issuer.example'

export const METADATA = `${ISSUER}/.well-known/openid-configuration`

export const JWKS = 'https://keys.issuer.example/jwks'

export const trusted: Issuer = { id: 'ci', issuer: ISSUER, audience: 'postern', claims: {}, principal: 'ci' }

export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

export const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })

export const ed25519 = generateKeyPairSync('ed25519')

export const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 })

export const jwkOf = (key: KeyObject, kid: string, more: object = {}) => ({
  ...key.export({ format: 'jwk' }),
  kid,
  ...more,
})

export const KEYS = [jwkOf(rsa.publicKey, 'rsa'), jwkOf(p256.publicKey, 'ec'), jwkOf(ed25519.publicKey, 'ed')]

export type Part = Record<string, unknown>

export type Signer = (input: Buffer) => Buffer

export const rs256: Signer = (input) => sign('RSA-SHA256', input, rsa.privateKey)

export const goodHeader = { alg: 'RS256', typ: 'JWT', kid: 'rsa' }

export const goodClaims = { iss: ISSUER, aud: 'postern', sub: 'repo:a/b', iat: SECONDS, exp: SECONDS + 600 }

/** A valid token with some members replaced; `undefined` leaves a member out. */
export function tokenWith(claims: Part, header: Part = {}, signer: Signer = rs256): string {
  const parts = [
    { ...goodHeader, ...header },
    { ...goodClaims, ...claims },
  ]
  const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${signer(Buffer.from(input)).toString('base64url')}`
}

/** An identity provider behind a fake fetch: its answers can be changed, and each request is recorded. */
export function provider(keys: unknown[] = KEYS) {
  const asked: string[] = []
  const site = {
    asked,
    requests: [] as Request[],
    metadata: { issuer: ISSUER, jwks_uri: JWKS } as unknown,
    jwks: { keys } as unknown,
    /** How long sign-ins waited, in milliseconds. */
    pauses: [] as number[],
    answer: (url: string): Response | Promise<Response> => Response.json(url === METADATA ? site.metadata : site.jwks),
  }
  const issuerKeys = new IssuerKeys({
    fetch: async (request) => {
      asked.push(request.url)
      site.requests.push(request)
      return site.answer(request.url)
    },
    pause: async (ms) => {
      site.pauses.push(ms)
    },
  })
  return Object.assign(site, {
    issuerKeys,
    verify: (token: string, now = NOW, issuer: Partial<Issuer> = {}) =>
      verifyAssertion(token, { ...trusted, ...issuer }, issuerKeys, now),
    /** The ids of the known keys, for a token that is right apart from its signature, or for any other. */
    find: async (now = NOW, urgent = false) =>
      (await issuerKeys.find(trusted, { now, urgent })).keys.map(({ kid }) => kid),
    fetched: (url = JWKS) => asked.filter((one) => one === url).length,
  })
}
