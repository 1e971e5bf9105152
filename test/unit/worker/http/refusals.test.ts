/** The limit on requests without a valid token by address, and the entries of such requests. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { makeProof, makeProofKey } from '../../../../core/authentication/dpop_proof.ts'
import { signIn } from '../../../../core/client/client.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const AT = { endpoint: 'http://127.0.0.1', vault: 'default' }
const SESSIONS = '/v1/vaults/default/sessions'

/** An app with a limit on refusals by address. */
const open = (refusals: number) => openApp(null, { environment: { POSTERN_SECURITY__REFUSAL_RATE: `${refusals}/h` } })
type Bench = Awaited<ReturnType<typeof open>>

/** Counts equal statuses in a row. */
async function statuses(times: number, ask: () => Promise<Response>): Promise<[status: number, times: number][]> {
  const runs: [number, number][] = []
  for (let i = 0; i < times; i++) {
    const { status } = await ask()
    const last = runs.at(-1)
    if (last?.[0] === status) last[1]++
    else runs.push([status, 1])
  }
  return runs
}

/** A sign-in with a proof, and a token if one is given. */
async function proven({ answer }: Bench, nonce: string | null, authorization: Record<string, string> = {}) {
  const url = `http://127.0.0.1${SESSIONS}`
  const proof = await makeProof(await makeProofKey(), { method: 'POST', url, token: null, nonce })
  return answer(new Request(url, { method: 'POST', headers: { DPoP: proof, ...authorization } }))
}

describe('a sign-in with the assertion of an issuer', () => {
  it('row 24: is refused after the same time for a trusted, slow issuer as for an unknown one', async () => {
    const slow = createServer((_, response) => setTimeout(() => response.end('{"keys":[]}'), 300))
    slow.listen(0, '127.0.0.1')
    await once(slow, 'listening')
    try {
      const issuer = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`
      const bench = await openApp(null, { environment: { POSTERN_SECURITY__ALLOW_LOOPBACK_ISSUERS: 'true' } })
      await bench.admin.putPrincipal('ci', { kind: 'service' })
      await bench.admin.putIssuer('ci', { issuer, audience: 'us', claims: { sub: ['x'] }, principal: 'ci' })
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const refusedAfter = async (iss: string, kid: string) => {
        const body = JSON.stringify({ assertion: `${part({ alg: 'ES256', kid })}.${part({ iss })}.AAAA` })
        const headers = { 'Content-Type': 'application/json' }
        const start = performance.now()
        const response = await bench.answer(
          new Request(`http://127.0.0.1${SESSIONS}`, { method: 'POST', body, headers }),
        )
        expect(response.status).toBe(401)
        return performance.now() - start
      }
      const [unknown, trusted] = [await refusedAfter('https://other.example', 'a'), await refusedAfter(issuer, 'a')]
      expect(Math.max(unknown, trusted) / Math.min(unknown, trusted)).toBeLessThan(1.5)
    } finally {
      slow.close()
    }
  })
})

describe('refusals of an address', () => {
  it('row 74: limits proofs without a nonce to ten times the guesses, and sends the nonce with each answer', async () => {
    const bench = await open(3)
    let nonce: string | null = null
    const runs = await statuses(40, async () => {
      const response = await proven(bench, null)
      nonce = response.headers.get('DPoP-Nonce')
      return response
    })
    expect(runs).toEqual([
      [401, 30],
      [429, 10],
    ])
    // Neither an honest client that needs a nonce nor one with a token has used up a guess.
    expect((await proven(bench, nonce)).status).toBe(401)
    const authorization = { Authorization: `Bearer ${bench.token.reveal()}` }
    expect((await proven(bench, nonce, authorization)).status).toBe(201)
    expect((await bench.send('/v1/vaults/default/sessions/current')).status).toBe(200)
  })

  it('row 74: limits dead tokens like guesses, sends Retry-After, and records one entry', async () => {
    const bench = await open(3)
    await bench.admin.putPrincipal('ann', { kind: 'user' })
    const { token, accessor } = await bench.admin.createToken({ principal: 'ann' })
    await bench.admin.revokeToken(accessor)
    const asked = () =>
      bench.send('/v1/vaults/default/secrets/prod/db', { headers: { Authorization: `Bearer ${token.reveal()}` } })
    expect(await statuses(10, asked)).toEqual([
      [401, 3],
      [429, 7],
    ])
    const late = await asked()
    expect(Number(late.headers.get('Retry-After'))).toBeGreaterThan(0)
    expect(await late.json()).toMatchObject({ code: 'throttled' })
    const entries = bench.log().filter(({ token }) => token === accessor)
    expect(entries.map(({ operation, facts }) => [operation, facts.flaw])).toEqual([['token.dead', 'revoked']])
    // A route that reads many values refuses the same token as a whole.
    const references = Array.from({ length: 5 }, (_, i) => `postern://default/a${i}`)
    const body = JSON.stringify({ references })
    const headers = { Authorization: `Bearer ${token.reveal()}` }
    const hydrated = await bench.send('/v1/vaults/default/hydrate', { method: 'POST', headers, body })
    expect(hydrated.status).toBe(429)
    expect((await bench.send('/v1/vaults/default/sessions/current')).status).toBe(200)
  })

  it('row 74: raises an alert for a stolen session, and answers its thief like a guess', async () => {
    const bench = await open(100)
    const key = await makeProofKey()
    const { token, session } = await signIn({ ...AT, token: bench.token, fetch: bench.answer, key })
    const read = (authorization: string, proof?: string) => {
      const headers = { Authorization: authorization, ...(proof && { DPoP: proof }) }
      return bench.answer(new Request(`http://127.0.0.1${bench.secret('prod/db')}`, { headers }))
    }
    const faceOf = async (response: Response) => {
      const { requestId: _, ...body } = (await response.json()) as Record<string, unknown>
      return [response.status, response.headers.get('Audit-Index'), body]
    }
    const stolen = await faceOf(await read(`Bearer ${token.reveal()}`))
    expect(stolen).toEqual(await faceOf(await read(`Bearer pss_default_${'A'.repeat(65)}`)))
    const alerts = bench.log().filter(({ severity }) => severity === 'alert')
    expect(alerts).toMatchObject([
      {
        operation: 'session.misused',
        session: session.accessor,
        facts: { flaw: 'no_proof', tried: expect.any(String) },
      },
    ])
  })
})
