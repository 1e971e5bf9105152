/**
 * A vault as a whole: opening it, its settings, and its last administrator.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { DAY_MS } from '../../../../core/durations.ts'
import { serverPolicy } from '../../../../core/vault/access/server_policy.ts'
import { Vault } from '../../../../core/vault/vault.ts'
import { callOf, openVault, tokenHashOf, UNLIMITED, writeOf } from '../../../support/core.ts'

describe('a vault', () => {
  it('cannot be left without an administrator', () => {
    const bench = openVault()
    const { accessor } = bench.granted('admin', 'token.list', {} as never)[0]!
    const attempts = () => [
      bench.reason('admin', 'principal.put', { id: 'admin', kind: 'user', disabled: true }),
      bench.reason('admin', 'token.revoke', { accessor }),
      bench.reason('admin', 'rule.delete', { id: 'admin' }),
      bench.reason('admin', 'rule.put', {
        id: 'admin',
        effect: 'permit',
        principal: 'admin',
        actions: ['read'],
        resource: '**',
      }),
      bench.reason('admin', 'rule.put', {
        id: 'admin',
        effect: 'permit',
        principal: 'admin',
        actions: ['admin'],
        resource: 'rules',
      }),
      bench.reason('admin', 'rule.put', {
        id: 'f',
        effect: 'forbid',
        principal: '*',
        actions: ['admin'],
        resource: 'rules',
      }),
      bench.reason('admin', 'rule.put', {
        id: 'f',
        effect: 'forbid',
        principal: 'admin',
        actions: ['admin'],
        resource: '**',
      }),
      bench.reason('admin', 'rule.put', {
        id: 'f',
        effect: 'forbid',
        principal: 'admin',
        actions: ['admin'],
        resource: 'tokens',
      }),
    ]
    const refused = Array(attempts().length).fill('last_admin')
    expect(attempts()).toEqual(refused)
    // Others count only with a token that does not end, of an enabled principal and with the right to rules and to tokens.
    bench.enrol('no-rule')
    bench.enrol('expired', bench.now)
    bench.enrol('revoked')
    bench.enrol('disabled')
    bench.enrol('half')
    bench.enrol('temporary', bench.now + DAY_MS)
    bench.granted('admin', 'principal.put', { id: 'no-token', kind: 'user', disabled: false })
    for (const who of ['expired', 'revoked', 'disabled', 'no-token', 'temporary']) bench.rule(who, who, ['admin'], '**')
    bench.rule('half', 'half', ['admin'], 'rules')
    bench.granted('admin', 'token.revoke', { accessor: 'accessor-of-revoked' })
    bench.granted('admin', 'principal.put', { id: 'disabled', kind: 'user', disabled: true })
    expect(attempts()).toEqual(refused)
    expect(bench.reason('admin', 'rule.list', {} as never)).toBe('ok')
  })

  it.each<[string, (bench: ReturnType<typeof openVault>) => string]>([
    ['disable', ({ reason }) => reason('admin', 'principal.put', { id: 'admin', kind: 'user', disabled: true })],
    ['delete the rule of', ({ reason }) => reason('admin', 'rule.delete', { id: 'admin' })],
    [
      'revoke the token of',
      ({ granted, reason }) => {
        const { accessor } = granted('admin', 'token.list', {} as never).find(({ principal }) => principal === 'admin')!
        return reason('admin', 'token.revoke', { accessor })
      },
    ],
  ])('permits an administrator to %s itself when there is another', (_, attempt) => {
    const bench = openVault()
    bench.enrol('second')
    bench.rule('second', 'second', ['admin'], '**')
    expect(attempt(bench)).toBe('ok')
    expect(bench.reason('admin', 'rule.list', {} as never)).not.toBe('ok')
    expect(bench.reason('second', 'rule.list', {} as never)).toBe('ok')
    expect(bench.reason('second', 'rule.delete', { id: 'second' })).toBe('last_admin')
  })

  it('gives tokens to existing principals only, and refuses to change absent ones', () => {
    const bench = openVault()
    const token = { hash: tokenHashOf('x'), accessor: 'x', principal: 'x', label: '', expiresAt: null }
    expect(bench.reason('admin', 'token.create', token)).toBe('no_principal')
    expect(bench.reason('admin', 'token.revoke', { accessor: 'x' })).toBe('no_token')
    expect(bench.reason('admin', 'rule.delete', { id: 'x' })).toBe('no_rule')
  })

  it('shows neither tokens nor their hashes', () => {
    const bench = openVault()
    bench.enrol('bob')
    const tokens = bench.granted('admin', 'token.list', {} as never)
    expect(tokens.map(({ principal }) => principal).toSorted()).toEqual(['admin', 'bob'])
    for (const row of tokens)
      expect(Object.values(row).some((value) => (value as unknown) instanceof Uint8Array)).toBe(false)
  })

  it('keeps the time of the first disabling and of the first revocation', () => {
    const bench = openVault()
    bench.enrol('bob')
    const disable = () =>
      bench.granted('admin', 'principal.put', { id: 'bob', kind: 'user', disabled: true }).disabledAt
    const revoke = () => bench.granted('admin', 'token.revoke', { accessor: 'accessor-of-bob' }).revokedAt
    const at = bench.now
    expect([disable(), revoke()]).toEqual([at, at])
    bench.now += 5
    expect([disable(), revoke()]).toEqual([at, at])
  })

  it('belongs to the first root key that claims it', () => {
    const { vault } = openVault()
    const own = () => vault.perform('root.look', {}, 1)
    vault.claim('aa', ['99'])
    vault.claim('bb', ['88'])
    expect(own()).toMatchObject({
      ok: true,
      index: null,
      value: { current: 'aa', earlierRootKeys: ['99'], needed: ['aa'] },
    })
  })

  it('is the same after opening its store again', () => {
    const bench = openVault()
    bench.granted('admin', 'secret.write', writeOf('a'))
    const again = new Vault(bench.database, serverPolicy(UNLIMITED), bench.now)
    expect(again.isEmpty()).toBe(false)
    expect(again.execute([callOf('admin', 'secret.read', { name: 'a' })], bench.now)[0]).toMatchObject({
      ok: true,
      index: 3,
    })
  })
})
