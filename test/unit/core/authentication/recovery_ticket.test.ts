/**
 * Tickets that give an administrator back to a vault.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { TICKET_MS } from '../../../../core/authentication/ticket.ts'
import type { Action, Conditions } from '../../../../core/vault/access/rules.ts'
import { serverPolicy } from '../../../../core/vault/access/server_policy.ts'
import { Vault } from '../../../../core/vault/vault.ts'
import { callerFor, callOf, openVault, tokenHashOf, UNLIMITED } from '../../../support/core.ts'
import { exchangeOf, RECOVERY, ticketOf } from '../../../support/tickets.ts'
import { openEmpty, outcomeOf, recoverTicket } from './ticket_fixture.ts'

const ALL = ['read', 'write', 'delete', 'rotate', 'admin'] satisfies Action[]

describe('a recovery ticket', () => {
  const recover = (bench: ReturnType<typeof openVault>, who: string, more = {}, nonce?: string) => {
    const ticket = ticketOf({ ...RECOVERY, ...more }, { expiresAt: bench.now + 60_000, ...(nonce && { nonce }) })
    return outcomeOf(bench.execute(exchangeOf(ticket, tokenHashOf(who), `accessor-of-${who}`))[0]!)
  }
  const recovery = (bench: ReturnType<typeof openVault>) =>
    bench.log().findLast(({ operation }) => operation === 'vault.recover')!
  /** An administrator beside the first, who is disabled then. */
  const retireAdmin = (bench: ReturnType<typeof openVault>) => {
    bench.enrol('ann')
    bench.rule('ann', 'ann', ['read', 'write', 'delete', 'rotate', 'admin'], '**')
    bench.granted('ann', 'principal.put', { id: 'admin', kind: 'user', disabled: true })
  }

  it('gives a token of the administrator, and raises an alert', () => {
    const bench = openVault()
    expect([recover(bench, 'new'), bench.reason('new', 'rule.list', {})]).toEqual(['ok', 'ok'])
    expect(recovery(bench)).toMatchObject({
      ...{ outcome: 'ok', severity: 'alert', principal: 'admin', token: 'accessor-of-new' },
      facts: { reason: 'Token was lost' },
    })
    // The other credentials of the administrator stay: it sees its tokens, and revokes the lost one.
    expect(bench.reason('admin', 'rule.list', {})).toBe('ok')
  })

  it('row 65: recovers no vault that has no principal', () => {
    const bench = openEmpty()
    expect(bench.exchange(recoverTicket(), 'x')).toBe('has_no_principals')
    expect([bench.isEmpty(), bench.log()]).toEqual([true, []])
  })

  it('creates the administrator again where it is gone, and leaves an existing rule with its id alone', () => {
    const bench = openVault()
    retireAdmin(bench)
    bench.granted('ann', 'rule.put', {
      id: 'admin',
      effect: 'permit',
      principal: 'web',
      actions: ['read'],
      resource: 'a/**',
    })
    bench.database.all("DELETE FROM token WHERE principal = 'admin'")
    bench.database.all("DELETE FROM principal WHERE id = 'admin'")
    expect([recover(bench, 'new'), bench.reason('new', 'principal.list', {})]).toEqual(['ok', 'ok'])
    expect(recovery(bench).facts).toMatchObject({ made: 'admin', rule: 'admin-1' })
    expect(bench.granted('new', 'rule.list', {}).find(({ id }) => id === 'admin')).toMatchObject({ principal: 'web' })
  })

  it('row 65: restores none of the access that ended when the administrator was disabled', () => {
    const bench = openVault()
    const session = { hash: tokenHashOf('session'), accessor: 'session', jkt: null, factor: null }
    bench.granted('admin', 'session.open', session)
    retireAdmin(bench)
    const issuer = { issuer: 'https://login.example', audience: 'x', principal: 'admin', claims: { sub: ['a'] } }
    bench.granted('ann', 'issuer.put', { id: 'work', ...issuer } as never)
    expect(recover(bench, 'new')).toBe('ok')
    expect([bench.reason('new', 'rule.list', {}), bench.reason('admin', 'rule.list', {})]).toEqual([
      'ok',
      'unauthenticated',
    ])
    const [bySession] = bench.execute({
      operation: 'rule.list',
      caller: { ...callerFor('x'), credential: { kind: 'session', hash: session.hash } },
      input: {},
    })
    expect(bySession).toMatchObject({ reason: 'unauthenticated' })
    expect(bench.granted('new', 'issuer.list', {})).toEqual([])
    expect(recovery(bench).facts).toMatchObject({ enabled: 'admin', revoked: ['accessor-of-admin'], issuers: ['work'] })
  })

  it('turns a service administrator into a user', () => {
    const bench = openVault()
    bench.database.all("UPDATE principal SET kind = 'service'")
    expect(recover(bench, 'new')).toBe('ok')
    expect(bench.granted('new', 'principal.list', {})).toMatchObject([{ id: 'admin', kind: 'user' }])
    expect(recovery(bench).facts).toMatchObject({ kindBefore: 'service' })
  })

  it('lifts forbids of administration for the administrator, and leaves rules for all as they are otherwise', () => {
    const bench = openVault()
    bench.enrol('ann')
    bench.rule('ann', 'ann', ['read', 'write', 'delete', 'rotate', 'admin'], '**')
    bench.rule('out', 'admin', ['admin', 'read'], '**', 'forbid')
    bench.database.all(
      'INSERT INTO rule VALUES (?, 3, ?, 0, ?)',
      'stop',
      JSON.stringify({
        id: 'stop',
        effect: 'forbid',
        principal: '*',
        actions: ['read', 'admin'],
        resource: '**',
        conditions: { addresses: ['0.0.0.0/0', '::/0'] },
      }),
      'ann',
    )
    bench.database.all(
      'INSERT INTO rule VALUES (?, 1, ?, 0, ?)',
      'tokens',
      JSON.stringify({
        id: 'tokens',
        effect: 'forbid',
        principal: '*',
        actions: ['admin'],
        resource: '**',
        conditions: { methods: ['federated'] },
      }),
      'ann',
    )
    bench.vault.execute([], bench.now)
    const fresh = new Vault(bench.sql, serverPolicy(UNLIMITED), bench.now)
    const ask = (call: Parameters<Vault['execute']>[0][number]) => outcomeOf(fresh.execute([call], bench.now)[0]!)
    expect(ask(callOf('admin', 'rule.list', {}))).toBe('denied')
    const ticket = ticketOf(RECOVERY, { expiresAt: bench.now + 60_000 })
    expect(ask(exchangeOf(ticket, tokenHashOf('new')))).toBe('ok')
    expect(ask(callOf('new', 'rule.list', {}))).toBe('ok')
    expect(ask(callOf('new', 'secret.read', { name: 'a' }))).toBe('denied')
    const rules = bench.database.all<{ id: string; body: string }>('SELECT id, body FROM rule ORDER BY id')
    expect(rules.map(({ id, body }) => [id, JSON.parse(body).actions])).toEqual([
      ['admin', expect.anything()],
      ['ann', expect.anything()],
      ['stop', ['read']],
      ['tokens', ['admin']],
    ])
    expect(recovery(bench).facts.lifted).toMatchObject([{ id: 'out' }, { id: 'stop', actions: ['read', 'admin'] }])
  })

  it('removes the second factors, sessions and locks of one principal only', () => {
    const bench = openVault({ requireMfaForAdmin: true })
    const confirm = (who: string, now: number) => {
      bench.granted(who, 'totp.enrol', {
        id: `totp-of-${who}`,
        kid: `${'0'.repeat(16)}.1`,
        sealed: new Uint8Array(1),
      } as never)
      bench.granted(who, 'totp.confirm', { id: `totp-of-${who}`, step: now, jkt: null, recoveryHashes: ['a'] })
    }
    bench.database.all("UPDATE term SET root = '0000000000000000'")
    confirm('admin', 1)
    expect(recover(bench, 'new', { removeFactors: 'nobody' })).toBe('no_principal')
    expect(bench.granted('admin', 'session.whoami', {})).toMatchObject({ totp: true })
    bench.database.all("INSERT INTO attempt VALUES ('admin', 'x', 9, ?, ?, NULL)", bench.now, bench.now + 900_000)
    expect(recover(bench, 'new', { removeFactors: 'admin' })).toBe('ok')
    expect(bench.granted('new', 'session.whoami', {})).toMatchObject({ totp: false, recoveryCodesLeft: 0 })
    expect(bench.database.all("SELECT locked_until FROM attempt WHERE source = 'x'")).toEqual([{ locked_until: null }])
    expect(recovery(bench).facts).toMatchObject({ factorsOf: 'admin' })
    // The server asks for a second factor all the same: the administrator enrols a new one.
    expect(bench.reason('new', 'rule.list', {})).toBe('mfa_required')
    confirm('new', 2)
  })

  it('lifts approvals for a time, for its own token and its sessions only', () => {
    const bench = openVault()
    for (const who of ['ann', 'ben']) bench.enrol(who)
    const demand = { id: 'two', effect: 'forbid', principal: '*', actions: ['admin'], resource: 'principals' } as const
    bench.granted('admin', 'rule.put', {
      ...demand,
      unless: { approvals: { required: 1, from: ['ann', 'ben'], withinSeconds: 60 } },
    })
    const change = { id: 'ann', kind: 'user', disabled: false } as const
    const changeBy = (who: string) => bench.reason(who, 'principal.put', change)
    expect(recover(bench, 'plain')).toBe('ok')
    expect(changeBy('plain')).toBe('approval_required')
    expect(recover(bench, 'lost', { withoutApprovals: 5 }, 'same')).toBe('ok')
    expect(recover(bench, 'free', { withoutApprovals: 5 }, 'same')).toBe('ok')
    expect(changeBy('free')).toBe('ok')
    const session = { hash: tokenHashOf('session'), accessor: 'session', jkt: null, factor: null }
    bench.granted('free', 'session.open', session)
    const caller = { ...callerFor('x'), credential: { kind: 'session', hash: session.hash } } as const
    const bySession = () => outcomeOf(bench.execute({ operation: 'principal.put', caller, input: change })[0]!)
    expect([bySession(), changeBy('admin'), changeBy('plain')]).toEqual([
      'ok',
      'approval_required',
      'approval_required',
    ])
    bench.now += 5 * 60_000
    expect([bySession(), changeBy('free')]).toEqual(['approval_required', 'approval_required'])
    expect(bench.granted('admin', 'glass.list', {})).toMatchObject([
      { principal: 'admin', reason: 'Token was lost', reviewedAt: null },
    ])
  })

  it('row 65: acts once, and stops when an administrator ends its token', () => {
    const bench = openVault()
    bench.enrol('ann')
    bench.rule('ann', 'ann', ['read', 'write', 'delete', 'rotate', 'admin'], '**')
    expect(recover(bench, 'one', {}, 'first')).toBe('ok')
    bench.granted('ann', 'token.revoke', { accessor: 'accessor-of-one' })
    expect(recover(bench, 'two', {}, 'first')).toBe('ticket_used')
    expect(recover(bench, 'three', {}, 'second')).toBe('ok')
    bench.granted('ann', 'principal.put', { id: 'admin', kind: 'user', disabled: true })
    expect(recover(bench, 'four', {}, 'second')).toBe('ticket_used')
    expect(bench.reason('three', 'rule.list', {})).toBe('unauthenticated')
  })

  it('row 65: is refused after a restore when it is older: it may have been used since the backup', () => {
    const bench = openVault()
    const before = ticketOf(RECOVERY, { expiresAt: bench.now + TICKET_MS })
    bench.now += 1000
    const head = { size: 1, root: new Uint8Array(32) as never }
    bench.vault.perform('vault.restored', { head, anchored: [] }, bench.now)
    const after = ticketOf(RECOVERY, { expiresAt: bench.now + TICKET_MS })
    const present = (ticket: typeof before) => outcomeOf(bench.execute(exchangeOf(ticket, tokenHashOf('x')))[0]!)
    expect([present(before), present(after)]).toEqual(['ticket_used', 'ok'])
  })

  it('row 65: is refused when the backup has it unspent: its token may have been used since', () => {
    const bench = openVault()
    const ticket = ticketOf(RECOVERY, { expiresAt: bench.now + TICKET_MS })
    const present = (who: string) => outcomeOf(bench.execute(exchangeOf(ticket, tokenHashOf(who), who))[0]!)
    expect([present('lost'), present('again')]).toEqual(['ok', 'ok'])
    bench.now += 1000
    const head = { size: 1, root: new Uint8Array(32) as never }
    bench.vault.perform('vault.restored', { head, anchored: [] }, bench.now)
    expect([present('replayed'), bench.reason('replayed', 'rule.list', {})]).toEqual(['ticket_used', 'unauthenticated'])
    expect(bench.reason('again', 'rule.list', {})).toBe('ok')
  })

  it.each<[string, (by: ReturnType<typeof openVault>) => void]>([
    ['its rule was deleted', (bench) => bench.granted('ann', 'rule.delete', { id: 'admin' })],
    ['its rule permits less', (bench) => bench.rule('admin', 'admin', ['read'], 'public/**')],
    [
      'its rule permits all in some circumstances',
      (bench) => {
        const rule = { id: 'admin', effect: 'permit', principal: 'admin', actions: ALL, resource: '**' } as const
        bench.granted('ann', 'rule.put', { ...rule, conditions: { methods: ['session'], bound: true } })
      },
    ],
    [
      'it was a service, and approved nothing',
      (bench) => bench.database.all("UPDATE principal SET kind = 'service' WHERE id = 'admin'"),
    ],
    ['another rule forbids it', (bench) => bench.rule('out', 'admin', ['admin'], '**', 'forbid')],
  ])('row 65: gives no right to earlier credentials of the administrator, when %s', (_, demote) => {
    const bench = openVault()
    bench.enrol('ann')
    bench.rule('ann', 'ann', ALL, '**')
    const session = { hash: tokenHashOf('session'), accessor: 'session', jkt: null, factor: null }
    bench.granted('admin', 'session.open', session)
    const issuer = { issuer: 'https://login.example', audience: 'x', principal: 'admin', claims: { sub: ['a'] } }
    bench.granted('ann', 'issuer.put', { id: 'work', ...issuer } as never)
    demote(bench)
    expect(recover(bench, 'new')).toBe('ok')
    const caller = { ...callerFor('x'), credential: { kind: 'session', hash: session.hash } } as const
    const bySession = outcomeOf(bench.execute({ operation: 'rule.list', caller, input: {} })[0]!)
    expect([bench.reason('new', 'rule.list', {}), bench.reason('admin', 'rule.list', {}), bySession]).toEqual([
      'ok',
      'unauthenticated',
      'unauthenticated',
    ])
    expect(recovery(bench).facts).toMatchObject({ revoked: ['accessor-of-admin'], issuers: ['work'], sessions: 1 })
    // The credentials of others stay.
    expect(bench.reason('ann', 'rule.list', {})).toBe('ok')
  })

  it('keeps the credentials of an administrator that already has all rights, by any rules', () => {
    const bench = openVault()
    bench.rule('one', 'admin', ['admin', 'read', 'write'], '**')
    bench.rule('two', '*', ['delete', 'rotate'], '**')
    bench.granted('admin', 'rule.delete', { id: 'admin' })
    expect(recover(bench, 'new')).toBe('ok')
    expect(recovery(bench).facts).not.toHaveProperty('rule')
    expect([bench.reason('new', 'rule.list', {}), bench.reason('admin', 'rule.list', {})]).toEqual(['ok', 'ok'])
  })

  it.each<[string, Conditions[], boolean]>([
    ['a token, and sessions', [{ methods: ['token'] }, { methods: ['session', 'federated'] }], false],
    [
      'bound sessions, tokens, and unbound sessions',
      [{ bound: true }, { methods: ['token'] }, { methods: ['session'] }],
      false,
    ],
    ['sessions, where the settings ask for a second factor', [{ methods: ['session'] }], true],
  ])('lifts rules that lock the administrator out together: of %s', (_, conditions, requireMfaForAdmin) => {
    const bench = openVault()
    bench.enrol('ann')
    bench.rule('ann', 'ann', ALL, '**')
    for (const [i, one] of conditions.entries()) {
      const rule = { id: `out-${i}`, effect: 'forbid', principal: 'admin', actions: ['admin'], resource: '**' } as const
      bench.granted('ann', 'rule.put', { ...rule, conditions: one })
    }
    if (requireMfaForAdmin) bench.reopen({ requireMfaForAdmin })
    expect(recover(bench, 'new')).toBe('ok')
    const session = { hash: tokenHashOf('session'), accessor: 'session', jkt: null, factor: null }
    bench.granted('new', 'session.open', session)
    const caller = { ...callerFor('x'), credential: { kind: 'session', hash: session.hash } } as const
    const bySession = outcomeOf(bench.execute({ operation: 'rule.list', caller, input: {} })[0]!)
    const open = requireMfaForAdmin ? 'mfa_required' : 'ok'
    expect([bench.reason('new', 'rule.list', {}), bySession]).toContain(open)
    expect(bench.database.all("SELECT id FROM rule WHERE id LIKE 'out-%'")).toHaveLength(conditions.length - 1)
  })

  it('lifts approvals even where rules forbid breaking the glass', () => {
    const bench = openVault()
    bench.enrol('ann')
    const forbid = { effect: 'forbid', principal: '*', actions: ['admin'] } as const
    bench.granted('admin', 'rule.put', { id: 'none', ...forbid, resource: 'break-glass' })
    const approvals = { required: 1, from: ['ann'], withinSeconds: 60 }
    bench.granted('admin', 'rule.put', { id: 'two', ...forbid, resource: 'principals', unless: { approvals } })
    expect(recover(bench, 'free', { withoutApprovals: 5 })).toBe('ok')
    const change = { id: 'ann', kind: 'user', disabled: false } as const
    expect([bench.reason('free', 'principal.put', change), bench.reason('admin', 'principal.put', change)]).toEqual([
      'ok',
      'approval_required',
    ])
  })
})
