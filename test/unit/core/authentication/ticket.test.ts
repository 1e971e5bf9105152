import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { mintTicket, parseTicket, TICKET_MS, type TicketPurpose } from '../../../../core/authentication/ticket.ts'
import { base64url, concat, parseBase64url, utf8 } from '../../../../core/bytes.ts'
import { Keyring } from '../../../../core/crypto/keyring.ts'
import { Redacted } from '../../../../core/redacted.ts'
import type { Action, Conditions } from '../../../../core/vault/access/rules.ts'
import { securityPolicy } from '../../../../core/vault/access/server_policy.ts'
import type { Answer } from '../../../../core/vault/rpc.ts'
import { Vault } from '../../../../core/vault/vault.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'
import {
  callerFor,
  callOf,
  type LogEntry,
  openVault,
  refusalFrom,
  tokenHashOf,
  UNLIMITED,
} from '../../../support/core.ts'
import { exchangeOf, RECOVERY, ticketOf } from '../../../support/tickets.ts'

const NOW = 1_800_000_000_000
const ring = await Keyring.open(new Redacted(new Uint8Array(32).fill(7)))
const KEY = await ring.macKey('acme', 'ticket')
const BOOTSTRAP = { purpose: 'bootstrap' } as const
const ALL = ['read', 'write', 'delete', 'rotate', 'admin'] satisfies Action[]
const mint = (asked: TicketPurpose = BOOTSTRAP, key = KEY) => mintTicket('acme', key, asked, NOW).reveal()

/** A ticket with any body, under the key. */
function signed(body: string, vault = 'acme', key = KEY): string {
  const head = `pso_${vault}_`
  return head + base64url(concat(hmac(sha256, key, utf8(head + body)), utf8(body)))
}

describe('parseTicket', () => {
  it('reads what was asked for, and nothing else', () => {
    const common = { vault: 'acme', nonce: expect.stringMatching(/^[\w-]{22}$/), expiresAt: NOW + TICKET_MS }
    expect(parseTicket(mint(), KEY)).toEqual({ ...BOOTSTRAP, ...common })
    const asked = { purpose: 'recover', reason: 'Ann left: “é”', removeFactors: 'ann', withoutApprovals: 15 } as const
    expect(parseTicket(mint(asked), KEY)).toEqual({ ...asked, ...common })
    expect(parseTicket(mint(RECOVERY), KEY)).toEqual({ ...RECOVERY, ...common })
    expect(mint()).not.toBe(mint())
  })

  it('takes the longest reason in any script', () => {
    for (const reason of ['"'.repeat(256), '語'.repeat(256), '😀'.repeat(128)]) {
      expect(parseTicket(mint({ ...RECOVERY, reason }), KEY)).toMatchObject({ reason })
    }
  })

  it('row 65: refuses a ticket that is forged in any character', () => {
    const ticket = mint(RECOVERY)
    for (let i = 0; i < ticket.length; i++) {
      for (const other of ['A', 'b', '_', '']) {
        const forged = ticket.slice(0, i) + other + ticket.slice(i + 1)
        if (forged !== ticket) expect([forged, parseTicket(forged, KEY)]).toEqual([forged, null])
      }
    }
  })

  it('row 65: refuses a ticket of another vault, another root key, or another kind of key', async () => {
    const other = await Keyring.open(new Redacted(new Uint8Array(32).fill(8)))
    const keys = [
      await other.macKey('acme', 'ticket'),
      await ring.macKey('acme', 'token'),
      await ring.macKey('other', 'ticket'),
    ]
    for (const key of keys) expect(parseTicket(mint(BOOTSTRAP, key), KEY)).toBeNull()
    expect(parseTicket(mint().replace('pso_acme_', 'pso_other_'), keys[2]!)).toBeNull()
    expect(parseTicket(mint().replace('pso_acme_', 'pso_other_'), KEY)).toBeNull()
  })

  it('row 65: takes one spelling of a ticket', () => {
    const ticket = mint()
    const payload = parseBase64url(ticket.slice('pso_acme_'.length))!
    const last = ticket.at(-1)!
    const spellings = [` ${ticket}`, `${ticket} `, `${ticket}=`, ticket.toUpperCase(), ticket.replace('pso', 'PSO')]
    for (const digit of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      if (digit !== last) spellings.push(ticket.slice(0, -1) + digit)
    }
    for (const spelling of spellings) expect([spelling, parseTicket(spelling, KEY)]).toEqual([spelling, null])
    expect(base64url(payload)).toBe(ticket.slice('pso_acme_'.length))
  })

  it.each([
    '',
    '{}',
    'null',
    '[]',
    '"bootstrap"',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"other"}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap","reason":"x"}',
    '{"expiresAt":1.5,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap"}',
    '{"expiresAt":"1","nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap"}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAB","purpose":"bootstrap"}',
    '{"expiresAt":1,"nonce":"short","purpose":"bootstrap"}',
    '{"nonce":"AAAAAAAAAAAAAAAAAAAAAA","expiresAt":1,"purpose":"bootstrap"}',
    '{"expiresAt":1, "nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap"}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"recover"}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"recover","reason":"x","removeFactors":null,"withoutApprovals":61}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"recover","reason":"","removeFactors":null,"withoutApprovals":null}',
    '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"recover","reason":"x","removeFactors":"A","withoutApprovals":null}',
  ])('row 65: refuses what is signed and no ticket: %s', (body) => {
    expect(parseTicket(signed(body), KEY)).toBeNull()
  })

  it('takes what is signed and a ticket', () => {
    const body = '{"expiresAt":1,"nonce":"AAAAAAAAAAAAAAAAAAAAAA","purpose":"bootstrap"}'
    expect(parseTicket(signed(body), KEY)).toMatchObject({ expiresAt: 1, purpose: 'bootstrap' })
  })
})

describe('mintTicket', () => {
  it.each([
    ['reason', { reason: '' }],
    ['reason', { reason: '  ' }],
    ['reason', { reason: 'x'.repeat(257) }],
    ['reason', { reason: 'one\ntwo' }],
    ['reason', { reason: 'one\u202etwo' }],
    ['reason', { reason: '\ud800' }],
    ['removeFactors', { removeFactors: '' }],
    ['removeFactors', { removeFactors: 'Ann' }],
    ['withoutApprovals', { withoutApprovals: 0 }],
    ['withoutApprovals', { withoutApprovals: 61 }],
    ['withoutApprovals', { withoutApprovals: 1.5 }],
    ['withoutApprovals', { withoutApprovals: Number.NaN }],
  ])('refuses a wrong %s: %o', (field, wrong) => {
    expect(refusalFrom(() => mint({ ...RECOVERY, ...wrong })).detail.field).toBe(field)
  })
})

/** A vault without principals, and a clock. */
function openEmpty() {
  const sql = openSqlite(':memory:')
  const bench = { now: NOW }
  const open = () => new Vault(sql, securityPolicy(UNLIMITED), bench.now)
  let vault = open()
  const answer = (call: Parameters<Vault['execute']>[0][number]): Answer => vault.execute([call], bench.now)[0]!
  return Object.assign(bench, {
    sql,
    isEmpty: () => vault.isEmpty(),
    restart: () => {
      vault = open()
    },
    exchange: (ticket: Parameters<typeof exchangeOf>[0], who: string) =>
      outcomeOf(answer(exchangeOf(ticket, tokenHashOf(who), `accessor-of-${who}`))),
    use: (who: string) => outcomeOf(answer(callOf(who, 'rule.list', {}))),
    log: () =>
      sql
        .all<{ body: Uint8Array }>('SELECT body FROM entry ORDER BY n')
        .map(({ body }): LogEntry => JSON.parse(Buffer.from(body).toString())),
  })
}

function outcomeOf(answer: Answer): string {
  return answer.ok ? 'ok' : answer.reason
}

const bootstrapTicket = (expiresAt = NOW + 60_000) => ticketOf(BOOTSTRAP, { expiresAt })
const recoverTicket = (more = {}, expiresAt = NOW + 60_000) => ticketOf({ ...RECOVERY, ...more }, { expiresAt })

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

  it('row 65: gives another token until the one that it gave is used, which ends the one before; then it is spent', () => {
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

  it('row 65: is spent by a session of its token, by a refused request of it, and across a restart', () => {
    for (const call of [
      callOf('first', 'session.open', { hash: tokenHashOf('s'), accessor: 's', jkt: null, factor: null }),
      callOf('first', 'secret.read', { name: 'none' }),
    ]) {
      const bench = openEmpty()
      const ticket = bootstrapTicket()
      bench.exchange(ticket, 'first')
      bench.restart()
      new Vault(bench.sql, securityPolicy(UNLIMITED), NOW).execute([call], NOW)
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

  it('row 65: opens a vault once for two that come at once', () => {
    const bench = openEmpty()
    const vault = new Vault(bench.sql, securityPolicy(UNLIMITED), NOW)
    const calls = ['first', 'second'].map((who) => exchangeOf(bootstrapTicket(), tokenHashOf(who)))
    const answers = vault.execute(calls, NOW)
    if (answers.length < calls.length) answers.push(...vault.execute(calls.slice(answers.length), NOW))
    expect(answers.map(outcomeOf)).toEqual(['ok', 'has_principals'])
  })

  it('row 65: is spent or gives another token when it comes in the batch of the first use, by their order', () => {
    for (const order of ['use first', 'ticket first']) {
      const bench = openEmpty()
      const ticket = bootstrapTicket()
      bench.exchange(ticket, 'first')
      const vault = new Vault(bench.sql, securityPolicy(UNLIMITED), NOW)
      const calls = [callOf('first', 'rule.list', {}), exchangeOf(ticket, tokenHashOf('second'))]
      if (order === 'ticket first') calls.reverse()
      const outcomes = calls.map((call) => outcomeOf(vault.execute([call], NOW)[0]!))
      expect(outcomes).toEqual(order === 'use first' ? ['ok', 'ticket_used'] : ['ok', 'unauthenticated'])
    }
  })

  it('row 65: opens no vault that has a principal, not even one that is disabled', () => {
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
  ])('row 65: is refused %s, by the time of the vault, and leaves nothing behind', (_, expiresAt) => {
    const bench = openEmpty()
    expect(bench.exchange(bootstrapTicket(expiresAt), 'first')).toBe('ticket_late')
    expect([bench.isEmpty(), bench.log()]).toEqual([true, []])
  })

  it('row 65: is late between two times that it is presented, like any other', () => {
    const bench = openEmpty()
    const ticket = bootstrapTicket()
    bench.exchange(ticket, 'first')
    bench.now = NOW + 60_000
    expect([bench.exchange(ticket, 'second'), bench.use('first')]).toEqual(['ticket_late', 'ok'])
  })

  it('row 65: fills no log when it is presented again and again', () => {
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

  it('row 65: asks for nothing but its own exchange', () => {
    const bench = openEmpty()
    const caller = { ...callerFor('x'), credential: { kind: 'ticket', ticket: bootstrapTicket() } } as const
    const vault = new Vault(bench.sql, securityPolicy(UNLIMITED), NOW)
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

  it('gives a token of the administrator, and says so aloud', () => {
    const bench = openVault()
    expect([recover(bench, 'new'), bench.reason('new', 'rule.list', {})]).toEqual(['ok', 'ok'])
    expect(recovery(bench)).toMatchObject({
      ...{ outcome: 'ok', severity: 'alert', principal: 'admin', token: 'accessor-of-new' },
      facts: { reason: 'Token was lost' },
    })
    // What else the administrator has goes on: it sees its tokens, and revokes the one that was lost.
    expect(bench.reason('admin', 'rule.list', {})).toBe('ok')
  })

  it('row 65: recovers no vault that has no principal', () => {
    const bench = openEmpty()
    expect(bench.exchange(recoverTicket(), 'x')).toBe('has_no_principals')
    expect([bench.isEmpty(), bench.log()]).toEqual([true, []])
  })

  it('makes the administrator anew where it is gone, with a rule that leaves another one of its id alone', () => {
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

  it('row 65: opens nothing that was closed when the administrator was disabled', () => {
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

  it('makes a person of an administrator that was a service', () => {
    const bench = openVault()
    bench.database.all("UPDATE principal SET kind = 'service'")
    expect(recover(bench, 'new')).toBe('ok')
    expect(bench.granted('new', 'principal.list', {})).toMatchObject([{ id: 'admin', kind: 'user' }])
    expect(recovery(bench).facts).toMatchObject({ kindBefore: 'service' })
  })

  it('lifts what forbids the administrator to administer, and what is for all only as far as that', () => {
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
    const fresh = new Vault(bench.sql, securityPolicy(UNLIMITED), bench.now)
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

  it('takes the second factors of one principal away, with its sessions and locks, and of no other', () => {
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

  it('lifts the demand for approvals for so long, for its token and the sessions of it, and for no other token', () => {
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

  it('row 65: does once what it does besides, and stops when an administrator ends its token', () => {
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

  it('row 65: is refused when it was made before the vault was restored: it may have been used since the backup', () => {
    const bench = openVault()
    const before = ticketOf(RECOVERY, { expiresAt: bench.now + TICKET_MS })
    bench.now += 1000
    const head = { size: 1, root: new Uint8Array(32) as never }
    bench.vault.perform('vault.restored', { head, anchored: [] }, bench.now)
    const after = ticketOf(RECOVERY, { expiresAt: bench.now + TICKET_MS })
    const present = (ticket: typeof before) => outcomeOf(bench.execute(exchangeOf(ticket, tokenHashOf('x')))[0]!)
    expect([present(before), present(after)]).toEqual(['ticket_used', 'ok'])
  })

  it('row 65: is refused when the backup has it as unspent: its token may have been used since', () => {
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
  ])('row 65: gives no right to what signed the administrator in before, when %s', (_, demote) => {
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
    // What is for others stays.
    expect(bench.reason('ann', 'rule.list', {})).toBe('ok')
  })

  it('leaves what signs the administrator in where it gains nothing, by whichever rules it may do everything', () => {
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
      'what is bound, tokens, and what is a session',
      [{ bound: true }, { methods: ['token'] }, { methods: ['session'] }],
      false,
    ],
    ['sessions, where the settings ask for a second factor', [{ methods: ['session'] }], true],
  ])('lifts rules that keep the administrator out together: of %s', (_, conditions, requireMfaForAdmin) => {
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

  it('lifts the demand for approvals also where rules forbid to break the glass', () => {
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
