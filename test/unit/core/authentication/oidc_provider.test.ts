/** Federation against a real OpenID provider: the package `oidc-provider`, on a port of its own. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { issuerOf, verifyAssertion } from '../../../../core/authentication/federation.ts'
import { IssuerKeys } from '../../../../core/authentication/issuer_keys.ts'
import type { Issuer } from '../../../../core/vault/access/issuer_store.ts'
import { rejectionOf } from '../../../support/core.ts'

// The package brings no types.
type Configuration = Record<string, unknown>
type Provider = new (issuer: string, configuration: Configuration) => { callback(): Parameters<Server['on']>[1] }

const OURS = 'https://postern.example'
const OTHERS = 'https://other.example'

describe.each([
  ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
] as const)('with a real OpenID provider that signs with %s', (alg, { privateKey }) => {
  let server: Server
  let issuer: Issuer
  let requests = 0

  beforeAll(async () => {
    const { default: OidcProvider } = (await import('oidc-provider' as string)) as { default: Provider }
    server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const provider = new OidcProvider(url, {
      clients: [
        {
          client_id: 'ci',
          client_secret: 'a-secret-of-this-test-alone',
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          id_token_signed_response_alg: alg,
        },
      ],
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'signing', use: 'sig', alg }] },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context: unknown, audience: string) => ({
            scope: '',
            audience,
            accessTokenTTL: 600,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg } },
          }),
        },
      },
    })
    server.on('request', () => requests++)
    server.on('request', provider.callback())
    issuer = { id: 'ci', issuer: url, audience: OURS, claims: {}, principal: 'ci' }
  })

  afterAll(() => new Promise((resolve) => server.close(resolve)))

  async function tokenFor(resource: string): Promise<string> {
    const response = await fetch(`${issuer.issuer}/token`, {
      method: 'POST',
      headers: { Authorization: `Basic ${btoa('ci:a-secret-of-this-test-alone')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource }),
    })
    const { access_token: token } = (await response.json()) as { access_token?: string }
    expect(response.status).toBe(200)
    return token!
  }

  it('accepts a token for us, by the keys and the metadata of its provider', async () => {
    const token = await tokenFor(OURS)
    expect(issuerOf(token)).toBe(issuer.issuer)
    const keys = new IssuerKeys({ allowLoopback: true })
    const { claims, expiresAt } = await verifyAssertion(token, issuer, keys, Date.now())
    expect(claims).toMatchObject({ iss: issuer.issuer, aud: OURS, sub: 'ci', client_id: 'ci' })
    expect(expiresAt).toBe((claims.exp as number) * 1000 + 30_000)
    const before = requests
    await verifyAssertion(token, issuer, keys, Date.now())
    expect(requests).toBe(before)
  })

  it('refuses a token with another audience, a changed token, and a token of another time', async () => {
    const keys = new IssuerKeys({ allowLoopback: true })
    const now = Date.now()
    const [ours, others] = [await tokenFor(OURS), await tokenFor(OTHERS)]
    const refused = async (token: string, about: Partial<Issuer> = {}, at = now) =>
      (await rejectionOf(verifyAssertion(token, { ...issuer, ...about }, keys, at))).code
    expect(await refused(others)).toBe('unauthenticated')
    const [header, , signature] = ours.split('.')
    expect(await refused(`${header}.${others.split('.')[1]}.${signature}`)).toBe('unauthenticated')
    expect(await refused(ours, {}, now + 700_000)).toBe('unauthenticated')
    expect((await verifyAssertion(others, { ...issuer, audience: OTHERS }, keys, now)).claims.aud).toBe(OTHERS)
  })

  it('refuses metadata from another address than their issuer', async () => {
    const keys = new IssuerKeys({ allowLoopback: true })
    const elsewhere = { ...issuer, issuer: issuer.issuer.replace('127.0.0.1', 'localhost') }
    expect((await rejectionOf(keys.find(elsewhere, { now: Date.now(), urgent: true }))).code).toBe('unavailable')
  })

  it('sends no request where http to loopback is not allowed', async () => {
    const before = requests
    await rejectionOf(verifyAssertion(await tokenFor(OURS), issuer, new IssuerKeys(), Date.now()))
    // Only the one for the token.
    expect(requests).toBe(before + 1)
  })
})
