/**
 * The entries that operations append, and changes that an entry cannot describe.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import type { Call } from '../../../../../core/vault/rpc.ts'
import { callOf, openVault, tokenHashOf, writeOf } from '../../../../support/core.ts'
import { merkleTreeHash } from '../../../../support/reference/rfc6962.ts'
import { listAll, versionsOf } from '../secrets_fixture.ts'

describe('the log', () => {
  /** Each operation once, granted or refused for the state of things. */
  const everyCall = (): Call[] => [
    callOf('admin', 'secret.write', writeOf('a')),
    callOf('admin', 'secret.write', writeOf('a', { expect: 'absent' })),
    callOf('admin', 'secret.read', { name: 'a' }),
    callOf('admin', 'secret.read', { name: 'none' }),
    callOf('admin', 'secret.list', listAll),
    callOf('admin', 'secret.versions', versionsOf('a')),
    callOf('admin', 'secret.versions', versionsOf('none')),
    callOf('admin', 'secret.unopened', { name: 'a', version: 1, reason: 'tampered' }),
    callOf('admin', 'secret.delete', { name: 'a' }),
    callOf('admin', 'secret.delete', { name: 'a' }),
    callOf('admin', 'secret.restore', { name: 'a' }),
    callOf('admin', 'secret.destroy', { name: 'a', version: 9 }),
    callOf('admin', 'secret.destroy', { name: 'a' }),
    callOf('admin', 'principal.list', {} as never),
    callOf('admin', 'principal.put', { id: 'bob', kind: 'service', disabled: false }),
    callOf('admin', 'principal.put', { id: 'admin', kind: 'user', disabled: true }),
    callOf('admin', 'token.create', {
      hash: tokenHashOf('bob'),
      accessor: 'acc',
      principal: 'bob',
      label: '',
      expiresAt: null,
    }),
    callOf('admin', 'token.create', {
      hash: tokenHashOf('x'),
      accessor: 'acc2',
      principal: 'x',
      label: '',
      expiresAt: null,
    }),
    callOf('admin', 'token.list', {} as never),
    callOf('admin', 'token.revoke', { accessor: 'acc' }),
    callOf('admin', 'token.revoke', { accessor: 'none' }),
    callOf('admin', 'rule.put', { id: 'r', effect: 'permit', principal: 'bob', actions: ['read'], resource: 'a' }),
    callOf('admin', 'rule.list', {} as never),
    callOf('admin', 'rule.delete', { id: 'r' }),
    callOf('admin', 'rule.delete', { id: 'r' }),
    callOf('admin', 'audit.entries', { from: 0, limit: 5 }),
    callOf('eve', 'secret.read', { name: 'a' }),
    callOf('eve', 'rule.list', {} as never),
  ]
  const opened = () => {
    const bench = openVault()
    bench.enrol('eve')
    return bench
  }

  it('row 60: gets exactly one entry for every call, granted or refused, which the answer names', () => {
    const bench = opened()
    for (const call of everyCall()) {
      const before = bench.log().length
      const [answer] = bench.execute(call)
      const added = bench.log().slice(before)
      expect(added, call.operation).toHaveLength(1)
      expect(answer!.index).toBe(before)
      expect(added[0]).toMatchObject({
        index: before,
        operation: call.operation,
        request: call.caller.requestId,
        outcome: answer!.ok ? 'ok' : answer!.reason,
        time: new Date(bench.now).toISOString(),
      })
    }
  })

  it('gets the same entries when all calls come in one batch', () => {
    const bench = opened()
    const before = bench.log().length
    const calls = everyCall()
    const answers = bench.execute(...calls)
    expect(answers.map(({ index }) => index)).toEqual(calls.map((_, i) => before + i))
    expect(
      bench
        .log()
        .slice(before)
        .map(({ operation }) => operation),
    ).toEqual(calls.map(({ operation }) => operation))
  })

  it('names the caller, the address, the token, the operation and the deciding rule', () => {
    const bench = opened()
    bench.rule('eve-reads', 'eve', ['read'], 'prod/*')
    const input = writeOf('prod/db')
    bench.granted('admin', 'secret.write', input)
    bench.granted('eve', 'secret.read', { name: 'prod/db' })
    expect(bench.log().at(-1)).toMatchObject({
      v: 1,
      principal: 'eve',
      token: 'accessor-of-eve',
      address: '192.0.2.1',
      agent: 'test/1',
      action: 'read',
      resource: 'prod/db',
      rule: 'eve-reads',
      facts: { version: 1 },
    })
  })

  it('holds no sealed value, no hash of a token and no fingerprint', () => {
    const bench = opened()
    const input = writeOf('a', { idempotency: { key: 'idempotency-key', fingerprint: 'fingerprint-of-value' } })
    for (const call of [callOf('admin', 'secret.write', input), ...everyCall()]) bench.execute(call)
    const text = JSON.stringify(bench.log())
    const hidden = [input.sealed, tokenHashOf('admin'), tokenHashOf('bob')].map((bytes) => Buffer.from(bytes))
    for (const bytes of hidden) {
      for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const)
        expect(text).not.toContain(bytes.toString(encoding))
    }
    expect(text).not.toContain('fingerprint-of-value')
  })

  it('records a rule before and after its change', () => {
    const bench = opened()
    bench.rule('r', 'eve', ['read'], 'a')
    bench.rule('r', 'eve', ['read', 'write'], 'b')
    const shown = (actions: string[], resource: string, version: number) => ({
      id: 'r',
      effect: 'permit',
      principal: 'eve',
      actions,
      conditions: {},
      resource,
      version,
    })
    expect(bench.log().at(-1)!.facts).toMatchObject({
      before: shown(['read'], 'a', 1),
      after: shown(['read', 'write'], 'b', 2),
    })
    bench.granted('admin', 'rule.delete', { id: 'r' })
    expect(bench.log().at(-1)!.facts).toMatchObject({ before: shown(['read', 'write'], 'b', 2), after: null })
  })

  it('chains each entry to the previous one, under the root that RFC 6962 defines', () => {
    const bench = opened()
    for (const call of everyCall()) bench.execute(call)
    const { head, entries } = bench.granted('admin', 'audit.entries', { from: 0, limit: 1000 })
    expect(head.size).toBe(entries.length)
    expect(Buffer.from(head.root)).toEqual(merkleTreeHash(entries.map(({ body }) => body)))
    for (const { index, body } of entries) {
      const { previous } = JSON.parse(Buffer.from(body).toString())
      const before = entries[index - 1]
      expect(previous).toBe(before === undefined ? null : merkleTreeHash([before.body]).toString('base64'))
    }
  })

  it('is read in pages, under the head from before the read', () => {
    const bench = opened()
    const size = bench.log().length
    const page = bench.granted('admin', 'audit.entries', { from: 2, limit: 2 })
    expect(page.entries.map(({ index }) => index)).toEqual([2, 3])
    expect(page.head.size).toBe(size)
    expect(bench.log()).toHaveLength(size + 1)
  })
})

describe('a change that is too long for its entry', () => {
  const agents = Array.from({ length: 300 }, (_, n) => `${n}`.padEnd(300, 'x'))
  const huge = { id: 'huge', effect: 'permit', principal: 'ann', actions: ['read'], resource: '**' } as const

  it('row 72: is refused, without affecting others in its transaction', () => {
    const bench = openVault()
    bench.enrol('ann')
    const answers = bench.execute(
      callOf('admin', 'rule.put', { ...huge, id: 'before' }),
      callOf('admin', 'rule.put', { ...huge, conditions: { agents } }),
      callOf('admin', 'rule.put', { ...huge, id: 'behind' }),
    )
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.reason))).toEqual(['ok', 'indescribable', 'ok'])
    const rules = bench.granted('admin', 'rule.list', {}).map(({ id }) => id)
    expect(rules).toEqual(['admin', 'before', 'behind'])
    // Nor is it in force in memory.
    expect(bench.reason('ann', 'secret.read', { name: 'x' })).toBe('no_secret')
  })
})
