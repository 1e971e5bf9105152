/** Ways around a lock: other tokens, sessions, keys and addresses of one who guesses at one principal. */
import { describe, expect, it } from 'vitest'
import type { Caller } from '../../../../../core/vault/rpc.ts'
import { bytesOf, callerFor, openVault, tokenHashOf } from '../../../../support/core.ts'

describe('a guesser of credentials', () => {
  it('row 22: has one counter across tokens, sessions, keys, purposes and spellings of its address', () => {
    const bench = openVault()
    bench.enrol('ann')
    for (const id of ['ann-2', 'ann-3']) {
      const token = { hash: tokenHashOf(id), accessor: id, principal: 'ann', label: '', expiresAt: null }
      bench.granted('admin', 'token.create', token)
    }
    let requests = 0
    const from = (who: string, more: Partial<Caller> = {}): Caller => ({
      ...{ ...callerFor(who), address: '192.0.2.7', requestId: `r${++requests}` },
      ...more,
    })
    const session = { hash: tokenHashOf('session'), accessor: 'session', jkt: null, factor: null }
    expect(bench.execute({ operation: 'session.open', caller: from('ann'), input: session })[0]!.ok).toBe(true)
    bench.granted('ann', 'totp.enrol', { id: 'totp', kid: 'root.1', sealed: bytesOf('sealed') })
    const bySession = { credential: { kind: 'session', hash: tokenHashOf('session') } } as const
    const attempts: [Caller, string | null, 'sign_in' | 'confirm'][] = [
      [from('ann'), null, 'confirm'],
      [from('ann-2', { address: '::ffff:192.0.2.7' }), 'a key of its own', 'confirm'],
      [from('ann-3', { agent: 'another' }), 'another key', 'confirm'],
      [from('ann', bySession), 'one more key', 'confirm'],
      [from('ann-2', { address: '::FFFF:C000:0207' }), null, 'confirm'],
      [from('ann-3'), null, 'sign_in'],
    ]
    const verified = attempts.filter(([caller, jkt, purpose]) => {
      // Longer than the principal as a whole is slowed by then: it is the lock that has to hold.
      bench.now += 20_000
      const [answer] = bench.execute({ operation: 'totp.begin', caller, input: { jkt, purpose } })
      return answer!.ok
    })
    expect(verified).toEqual(attempts.slice(0, 3))
    // Nor has a recovery code a counter of its own.
    const factor = { kind: 'recovery', hash: 'guess' } as const
    const input = { hash: tokenHashOf('s2'), accessor: 's2', jkt: 'a third key', factor }
    const before = bench.entryCount()
    const [answer] = bench.execute({ operation: 'session.open', caller: from('ann-2'), input })
    expect([answer!.ok, bench.entryCount()]).toEqual([false, before])
  })
})
