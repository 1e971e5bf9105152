/**
 * Tickets that make the first administrator of a vault.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { serverPolicy } from '../../../../core/vault/access/server_policy.ts'
import { Vault } from '../../../../core/vault/vault.ts'
import { callerFor, callOf, openVault, tokenHashOf, UNLIMITED } from '../../../support/core.ts'
import { exchangeOf, ticketOf } from '../../../support/tickets.ts'
import { BOOTSTRAP, NOW, openEmpty, outcomeOf, recoverTicket } from './ticket_fixture.ts'

const bootstrapTicket = (expiresAt = NOW + 60_000) => ticketOf(BOOTSTRAP, { expiresAt })

describe('a bootstrap ticket', () => {
  it('makes the first administrator of a vault, which one entry records', () => {
    const bench = openEmpty()
    const ticket = bootstrapTicket()
    expect([bench.isEmpty(), bench.exchange(ticket, 'first'), bench.isEmpty()]).toEqual([true, 'ok', false])
    const [entry, ...rest] = bench.log()
    expect(rest).toEqual([])
    expect(entry).toMatchObject({
      ...{ operation: 'vault.bootstrap', outcome: 'ok', severity: 'notice', principal: 'admin' },
      ...{ token: 'accessor-of-first', facts: { ticket: ticket.nonce } },
    })
    expect(bench.use('first')).toBe('ok')
    const [token] = bench.sql.all('SELECT principal, expires_at, minted_with FROM token')
    expect(token).toEqual({ principal: 'admin', expires_at: null, minted_with: null })
  })

  it('row 65: replaces its token until one is used; the ticket is spent then', () => {
    const bench = openEmpty()
    const ticket = bootstrapTicket()
    expect(['first', 'second'].map((who) => bench.exchange(ticket, who))).toEqual(['ok', 'ok'])
    expect([bench.use('first'), bench.use('second')]).toEqual(['unauthenticated', 'ok'])
    bench.restart()
    expect(bench.exchange(ticket, 'third')).toBe('ticket_used')
    expect([bench.use('third'), bench.use('second')]).toEqual(['unauthenticated', 'ok'])
    bench.now -= 600_000
    expect(bench.exchange(ticket, 'third')).toBe('ticket_used')
  })

  it('row 65: is spent by a session of its token, by a refused request with it, and after a restart', () => {
    for (const call of [
      callOf('first', 'session.open', { hash: tokenHashOf('s'), accessor: 's', jkt: null, factor: null }),
      callOf('first', 'secret.read', { name: 'none' }),
    ]) {
      const bench = openEmpty()
      const ticket = bootstrapTicket()
      bench.exchange(ticket, 'first')
      bench.restart()
      new Vault(bench.sql, serverPolicy(UNLIMITED), NOW).execute([call], NOW)
      bench.restart()
      expect(bench.exchange(ticket, 'second')).toBe('ticket_used')
    }
  })

  it('row 65: stays unspent when the transaction of the first use fails', () => {
    const bench = openVault()
    const ticket = recoverTicket({}, bench.now + 60_000)
    bench.execute(exchangeOf(ticket, tokenHashOf('first')))
    bench.fails = (query) => query.startsWith('INSERT INTO entry')
    expect(bench.reason('first', 'rule.list', {})).toBe('storage')
    bench.fails = () => false
    expect(outcomeOf(bench.execute(exchangeOf(ticket, tokenHashOf('second')))[0]!)).toBe('ok')
    expect([bench.reason('first', 'rule.list', {}), bench.reason('second', 'rule.list', {})]).toEqual([
      'unauthenticated',
      'ok',
    ])
    expect(outcomeOf(bench.execute(exchangeOf(ticket, tokenHashOf('third')))[0]!)).toBe('ticket_used')
  })

  it('row 65: opens a vault once for two simultaneous requests', () => {
    const bench = openEmpty()
    const vault = new Vault(bench.sql, serverPolicy(UNLIMITED), NOW)
    const calls = ['first', 'second'].map((who) => exchangeOf(bootstrapTicket(), tokenHashOf(who)))
    const answers = vault.execute(calls, NOW)
    if (answers.length < calls.length) answers.push(...vault.execute(calls.slice(answers.length), NOW))
    expect(answers.map(outcomeOf)).toEqual(['ok', 'has_principals'])
  })

  it('row 65: is spent or gives another token in the batch of the first use, by their order', () => {
    for (const order of ['use first', 'ticket first']) {
      const bench = openEmpty()
      const ticket = bootstrapTicket()
      bench.exchange(ticket, 'first')
      const vault = new Vault(bench.sql, serverPolicy(UNLIMITED), NOW)
      const calls = [callOf('first', 'rule.list', {}), exchangeOf(ticket, tokenHashOf('second'))]
      if (order === 'ticket first') calls.reverse()
      const outcomes = calls.map((call) => outcomeOf(vault.execute([call], NOW)[0]!))
      expect(outcomes).toEqual(order === 'use first' ? ['ok', 'ticket_used'] : ['ok', 'unauthenticated'])
    }
  })

  it('row 65: opens no vault that has a principal, even a disabled one', () => {
    const bench = openVault()
    const before = bench.log().length
    const ticket = () => ticketOf(BOOTSTRAP, { expiresAt: bench.now + 60_000 })
    expect(bench.execute(exchangeOf(ticket(), tokenHashOf('other')))[0]).toMatchObject({ reason: 'has_principals' })
    bench.database.all('UPDATE principal SET disabled_at = 1')
    expect(bench.execute(exchangeOf(ticket(), tokenHashOf('other')))[0]).toMatchObject({ reason: 'has_principals' })
    const refused = bench.log().slice(before)
    expect(
      refused.map(({ operation, outcome, principal, severity }) => [operation, outcome, principal, severity]),
    ).toEqual([
      ['vault.bootstrap', 'has_principals', null, 'warning'],
      ['vault.bootstrap', 'has_principals', null, 'warning'],
    ])
  })

  it.each([
    ['that is late', NOW],
    ['that claims more than an hour', NOW + 3_600_001],
  ])('row 65: is refused %s, by the time of the vault, and changes nothing', (_, expiresAt) => {
    const bench = openEmpty()
    expect(bench.exchange(bootstrapTicket(expiresAt), 'first')).toBe('ticket_late')
    expect([bench.isEmpty(), bench.log()]).toEqual([true, []])
  })

  it('row 65: expires between two uses like any other ticket', () => {
    const bench = openEmpty()
    const ticket = bootstrapTicket()
    bench.exchange(ticket, 'first')
    bench.now = NOW + 60_000
    expect([bench.exchange(ticket, 'second'), bench.use('first')]).toEqual(['ticket_late', 'ok'])
  })

  it('row 65: writes no further entries when it is presented repeatedly', () => {
    const bench = openEmpty()
    const ticket = bootstrapTicket()
    bench.exchange(ticket, 'first')
    bench.use('first')
    const before = bench.log().length
    for (let i = 0; i < 50; i++) expect(bench.exchange(ticket, `thief-${i}`)).toBe('ticket_used')
    expect(
      bench
        .log()
        .slice(before)
        .map(({ outcome, severity }) => [outcome, severity]),
    ).toEqual([['ticket_used', 'warning']])
  })

  it('row 65: exempts its own exchange only from other checks', () => {
    const bench = openEmpty()
    const caller = { ...callerFor('x'), credential: { kind: 'ticket', ticket: bootstrapTicket() } } as const
    const vault = new Vault(bench.sql, serverPolicy(UNLIMITED), NOW)
    for (const operation of [
      'rule.list',
      'secret.read',
      'session.open',
      'session.federate',
      'issuer.trusted',
      'vault.recover',
    ] as const) {
      expect(vault.execute([{ operation, caller, input: { name: 'a', issuer: 'x' } }], NOW)[0]).toMatchObject({
        reason: 'unauthenticated',
      })
    }
    const input = { hash: tokenHashOf('x'), accessor: 'x' }
    for (const credential of [null, callerFor('x').credential]) {
      const [answer] = vault.execute(
        [{ operation: 'vault.bootstrap', caller: { ...callerFor('x'), credential }, input }],
        NOW,
      )
      expect(answer).toMatchObject({ reason: 'unauthenticated' })
    }
    expect([bench.isEmpty(), bench.log()]).toEqual([true, []])
  })
})
