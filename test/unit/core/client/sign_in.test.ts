/** A sign-in that the client repeats while the keys of an issuer are not available. */
import { describe, expect, it } from 'vitest'
import { signIn } from '../../../../core/client/client.ts'
import { codeOf } from '../../../support/codes.ts'

const opened = {
  ...{ token: 'pss_default_x', tokenType: 'Bearer', accessor: '00000000-0000-4000-8000-000000000000' },
  ...{ principal: 'ci', expiresAt: '2026-01-31T09:30:00.000Z', idleSeconds: 1800 },
}

/** A server that refuses this often, and the sign-ins that it got. */
function refusing(
  times: number,
  { status = 503, code = 'unavailable', reason = 'issuer_unavailable', wait = '0' } = {},
) {
  const got: string[] = []
  const fetch = async (request: Request) => {
    got.push(await request.text())
    if (got.length > times) return Response.json(opened, { status: 201 })
    const headers = { 'Content-Type': 'application/problem+json', 'Retry-After': wait }
    return Response.json(
      { type: 'about:blank', title: 'x', status, code, detail: 'x', requestId: 'r', reason },
      { status, headers },
    )
  }
  const attempt = () =>
    codeOf(signIn({ endpoint: 'https://postern.example', vault: 'default', token: null, assertion: 'a.b.c', fetch }))
  return { got, attempt }
}

describe('signIn', () => {
  it('sends the same token again while the keys of its issuer are not available', async () => {
    const { got, attempt } = refusing(3)
    expect(await attempt()).toBe('ok')
    expect(got).toEqual(Array(4).fill('{"assertion":"a.b.c"}'))
  })

  it('gives up after four tries, or when the server asks for a longer pause', async () => {
    const down = refusing(9)
    expect([await down.attempt(), down.got.length]).toEqual(['unavailable', 4])
    const long = refusing(9, { wait: '31' })
    expect([await long.attempt(), long.got.length]).toEqual(['unavailable', 1])
  })

  it.each([
    { status: 401, code: 'unauthenticated', reason: 'unauthenticated' },
    { reason: 'late' },
    { reason: 'storage' },
    { status: 429, code: 'throttled', reason: 'throttled' },
  ])('does not repeat $reason', async (refusal) => {
    const { got, attempt } = refusing(9, refusal)
    expect([await attempt(), got.length]).toEqual([refusal.code ?? 'unavailable', 1])
  })
})
