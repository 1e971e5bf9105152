/** Tokens and sessions that the vault knows and refuses: their entries, and their limits. */
import { describe, expect, it } from 'vitest'
import { HOUR_MS } from '../../../../../core/durations.ts'
import type { Caller } from '../../../../../core/vault/rpc.ts'
import { callerFor, type LogEntry, openVault, tokenHashOf } from '../../../../support/core.ts'

let requests = 0

/** A vault with ann, who has an API token, a session and a session that is bound to `key`. */
function open(settings: Parameters<typeof openVault>[0] = {}) {
  const bench = openVault(settings)
  bench.enrol('ann', bench.now + HOUR_MS)
  const session = (id: string, jkt: string | null = null) =>
    bench.granted('ann', 'session.open', { hash: tokenHashOf(id), accessor: `accessor-of-${id}`, jkt, factor: null })
  session('loose')
  session('bound', 'key')
  const proof = (jkt: string, id = `proof ${++requests}`) => ({ jkt, id, expiresAt: bench.now + 600_000 })
  const by = (kind: 'token' | 'session', id: string, more: Partial<Caller> = {}): Caller => ({
    ...callerFor('ann'),
    credential: { kind, hash: tokenHashOf(id) },
    requestId: `request ${++requests}`,
    ...more,
  })
  const reasonOf = (caller: Caller) => {
    const answer = bench.execute({ operation: 'session.whoami', caller, input: {} })[0]!
    return answer.ok ? 'ok' : answer.reason
  }
  const refusals = (): LogEntry[] =>
    bench.log().filter(({ operation }) => /^(?:token|session)\.(?:dead|misused)$/.test(operation))
  return { ...bench, bench, by, proof, reasonOf, refusals }
}

const elapse = (ms: number) => (bench: ReturnType<typeof openVault>) => {
  bench.now += ms
}

describe('a token that the vault knows and refuses', () => {
  it.each<[flaw: string, end: (bench: ReturnType<typeof openVault>) => void, of: 'token' | 'session']>([
    ['revoked', ({ granted }) => granted('admin', 'token.revoke', { accessor: 'accessor-of-ann' }), 'token'],
    ['expired', elapse(HOUR_MS), 'token'],
    [
      'disabled',
      ({ granted }) => granted('admin', 'principal.put', { id: 'ann', kind: 'user', disabled: true }),
      'token',
    ],
    ['revoked', ({ granted }) => granted('admin', 'session.end', { accessor: 'accessor-of-loose' }), 'session'],
    ['idle', elapse(31 * 60_000), 'session'],
    ['token', ({ granted }) => granted('admin', 'token.revoke', { accessor: 'accessor-of-ann' }), 'session'],
    ['expired', elapse(13 * HOUR_MS), 'session'],
    ['disabled', ({ database }) => database.all("UPDATE principal SET disabled_at = 1 WHERE id = 'ann'"), 'session'],
  ])('row 74: is recorded once an hour when it is %s', (flaw, end, of) => {
    const { bench, by, reasonOf, refusals } = open()
    end(bench)
    const id = of === 'token' ? 'ann' : 'loose'
    for (let i = 0; i < 20; i++) expect(reasonOf(by(of, id))).toBe('unauthenticated')
    expect(refusals()).toMatchObject([
      {
        ...{ operation: 'token.dead', outcome: 'unauthenticated', severity: 'warning' },
        ...{ principal: 'ann', token: 'accessor-of-ann', session: of === 'token' ? null : 'accessor-of-loose' },
        ...{ address: '192.0.2.1', facts: { flaw, tried: 'session.whoami' } },
      },
    ])
    bench.now += HOUR_MS
    expect(reasonOf(by(of, id))).toBe('unauthenticated')
    expect(refusals()).toHaveLength(2)
  })

  it('row 74: alerts when a bound session is used without its key, once per flaw, even when it is dead', () => {
    const { bench, by, proof, reasonOf, refusals } = open()
    for (let i = 0; i < 5; i++) {
      expect(reasonOf(by('session', 'bound'))).toBe('unauthenticated')
      expect(reasonOf(by('session', 'bound', { proof: proof('thief') }))).toBe('unauthenticated')
      expect(reasonOf(by('session', 'loose', { proof: proof('thief') }))).toBe('unauthenticated')
    }
    expect(reasonOf(by('session', 'bound', { proof: proof('key') }))).toBe('ok')
    const about = { operation: 'session.misused', outcome: 'unauthenticated', principal: 'ann' }
    expect(refusals()).toMatchObject([
      { ...about, severity: 'alert', session: 'accessor-of-bound', facts: { flaw: 'no_proof' } },
      { ...about, severity: 'alert', session: 'accessor-of-bound', facts: { flaw: 'other_key' } },
      { ...about, severity: 'warning', session: 'accessor-of-loose', facts: { flaw: 'not_bound' } },
    ])
    bench.granted('admin', 'session.end', { accessor: 'accessor-of-bound' })
    bench.now += HOUR_MS - 1
    expect(reasonOf(by('session', 'bound', { proof: proof('thief') }))).toBe('unauthenticated')
    expect(refusals()).toHaveLength(3)
    bench.now += 1
    expect(reasonOf(by('session', 'bound', { proof: proof('thief') }))).toBe('unauthenticated')
    expect(refusals().at(-1)).toMatchObject({ severity: 'alert', facts: { flaw: 'other_key' } })
  })

  it('row 74: records a repeated proof, with a session or with an API token', () => {
    const { by, proof, reasonOf, refusals } = open()
    const [one, two] = [proof('key'), proof('key')]
    expect([reasonOf(by('session', 'bound', { proof: one })), reasonOf(by('token', 'ann', { proof: two }))]).toEqual([
      'ok',
      'ok',
    ])
    for (let i = 0; i < 3; i++) {
      expect(reasonOf(by('session', 'bound', { proof: one }))).toBe('unauthenticated')
      expect(reasonOf(by('token', 'ann', { proof: two }))).toBe('unauthenticated')
    }
    expect(refusals()).toMatchObject([
      {
        operation: 'session.misused',
        severity: 'warning',
        session: 'accessor-of-bound',
        facts: { flaw: 'proof_used' },
      },
      {
        operation: 'session.misused',
        severity: 'warning',
        session: null,
        token: 'accessor-of-ann',
        facts: { flaw: 'proof_used' },
      },
    ])
  })

  it('row 74: records nothing of tokens and proofs that belong to no principal', () => {
    const { by, proof, reasonOf, entryCount, execute } = open()
    const before = entryCount()
    const used = proof('stranger')
    const input = { issuer: 'https://none.example' }
    for (let i = 0; i < 3; i++) {
      expect(reasonOf(by('token', 'nobody'))).toBe('unauthenticated')
      expect(reasonOf(by('session', 'nobody', { proof: used }))).toBe('unauthenticated')
      execute({ operation: 'issuer.trusted', caller: by('token', 'x', { credential: null, proof: used }), input })
    }
    expect(entryCount()).toBe(before)
  })

  it('row 74: is limited by source like guesses, without hiding alerts or limiting good tokens of the source', () => {
    const { bench, by, proof, reasonOf, refusals } = open({ refusalRate: [{ requests: 5, periodMs: 60_000 }] })
    bench.enrol('bob')
    bench.granted('admin', 'token.revoke', { accessor: 'accessor-of-bob' })
    const tries = Array.from({ length: 20 }, () => reasonOf(by('token', 'bob')))
    expect(tries).toEqual([...Array(5).fill('unauthenticated'), ...Array(15).fill('throttled')])
    expect(refusals()).toHaveLength(1)
    // An unknown token shares the limit, and another source has its own.
    expect(reasonOf(by('token', 'nobody'))).toBe('throttled')
    expect(reasonOf(by('token', 'bob', { address: '198.51.100.7' }))).toBe('unauthenticated')
    // A theft is recorded although its source is limited.
    expect(reasonOf(by('session', 'bound', { proof: proof('thief') }))).toBe('throttled')
    expect(refusals().at(-1)).toMatchObject({ operation: 'session.misused', severity: 'alert' })
    expect([reasonOf(by('session', 'loose')), reasonOf(by('token', 'ann'))]).toEqual(['ok', 'ok'])
    const answer = bench.execute({ operation: 'session.whoami', caller: by('token', 'bob'), input: {} })[0]!
    expect(answer).toMatchObject({ ok: false, index: null, quota: { name: 'refusals', retryAfterMs: 12_000 } })
  })

  it('row 74: is recorded later when the entry fails', () => {
    const { bench, by, reasonOf, refusals } = open()
    bench.granted('admin', 'token.revoke', { accessor: 'accessor-of-ann' })
    bench.fails = (query) => query.startsWith('INSERT INTO entry')
    expect(reasonOf(by('token', 'ann'))).toBe('storage')
    bench.fails = () => false
    expect([reasonOf(by('token', 'ann')), refusals().length]).toEqual(['unauthenticated', 1])
  })
})
