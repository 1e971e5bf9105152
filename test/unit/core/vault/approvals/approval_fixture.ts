/**
 * A vault in which what is done below prod/ needs the approval of others.
 *
 * @module
 */
import { expect } from 'vitest'
import type { Action } from '../../../../../core/vault/access/rules.ts'
import type { Input, OperationName, Output } from '../../../../../core/vault/operation_table.ts'
import type { Answer, Call, Caller } from '../../../../../core/vault/rpc.ts'
import { callerFor, openVault, tokenHashOf, writeOf } from '../../../../support/core.ts'

/** What nearly all of it is about. */
export const byName = { name: 'prod/db' }

/** ann and bob may do everything below prod/. Operations on it need `required` approvals from ann, bob and carol. */
export function guarded(required = 1, actions: Action[] = ['read', 'delete', 'rotate']) {
  const bench = openVault()
  for (const who of ['ann', 'bob', 'carol']) bench.enrol(who)
  bench.granted('admin', 'principal.put', { id: 'robot', kind: 'service' })
  mint('admin', 'robot')
  for (const who of ['ann', 'bob', 'robot']) {
    bench.rule(`${who}-may`, who, ['read', 'write', 'delete', 'rotate'], 'prod/**')
  }
  for (let i = 0; i < 3; i++) bench.granted('ann', 'secret.write', writeOf('prod/db'))
  const approvals = { required, from: ['ann', 'bob', 'carol'], withinSeconds: 3600 }
  const rule = { id: 'four-eyes', effect: 'forbid', principal: '*', actions, resource: 'prod/**' } as const
  bench.granted('admin', 'rule.put', { ...rule, unless: { approvals } })

  function ask<K extends OperationName>(
    who: string | Caller,
    operation: K,
    input: Input<K>,
    approval?: Caller['approval'],
  ) {
    const caller = { ...(typeof who === 'string' ? callerFor(who) : who), ...(approval && { approval }) }
    return bench.execute({ operation, caller, input } as Call)[0] as Answer<Output<K>>
  }
  const outcome = (answer: Answer) => (answer.ok ? 'ok' : answer.reason)

  /** Asks for approval of what needs one, and returns the request. */
  function requested<K extends OperationName>(who: string | Caller, operation: K, input: Input<K>, why = 'because') {
    const answer = ask(who, operation, input, { ask: why })
    if (answer.ok || answer.approval === undefined) throw new Error(`Nothing was asked: ${outcome(answer)}`)
    expect(answer.reason).toBe('approval_required')
    return answer.approval
  }
  const decide = (who: string | Caller, { id, hash }: { id: string; hash: string }, approve = true) =>
    outcome(ask(who, 'approval.decide', { id, hash, approve, reason: approve ? null : 'no' }))

  /** A token of `principal`, made by `by`, known as `as`. */
  function mint(by: string | Caller, principal: string, as = principal): void {
    const caller = typeof by === 'string' ? callerFor(by) : by
    const input = { hash: tokenHashOf(as), accessor: `accessor-of-${as}`, principal, label: 'test', expiresAt: null }
    expect(bench.execute({ operation: 'token.create', caller, input })[0]!.ok).toBe(true)
  }

  /** Sets a trust in an identity provider that signs `principal` in. */
  function trust(by: string, principal: string, id = `of-${by}`): void {
    const input = { id, issuer: `https://${id}.example`, audience: 'us', claims: { repo: ['7'] }, principal }
    bench.granted(by, 'issuer.put', input)
  }

  /** A session by the trust of this id. */
  function federated(id: string, as = `session of ${id}`): Caller {
    const { revision } = bench.granted('admin', 'issuer.list', {}).find((one) => one.id === id)!
    const claims = { iss: `https://${id}.example`, sub: 'x', repo: '7' }
    const once = { candidates: [{ id, revision }], claims, once: as, onceExpiresAt: bench.now + 60_000 }
    const input = { hash: tokenHashOf(as), accessor: as, jkt: null, ...once }
    expect(ask({ ...callerFor('x'), credential: null }, 'session.federate', input).ok).toBe(true)
    return { ...callerFor('x'), credential: { kind: 'session', hash: tokenHashOf(as) } }
  }
  const last = () => bench.log().at(-1)!
  return { bench, ask, requested, decide, mint, trust, federated, last, outcome }
}

/** dana may break the glass, and has a session with a second factor. */
export function withGlass() {
  const all = guarded()
  const { bench, ask } = all
  bench.enrol('dana')
  bench.rule('dana-may', 'dana', ['read', 'delete'], 'prod/**')
  bench.rule('dana-glass', 'dana', ['admin'], 'break-glass')
  return { ...all, ...sessionsOf({ bench, ask }, 'dana') }
}

/** Gives a principal a second factor, and two sessions: with it, and without. */
export function sessionsOf({ bench, ask }: Pick<ReturnType<typeof guarded>, 'bench' | 'ask'>, who: string) {
  const id = `totp-${who[0]}`
  bench.granted(who, 'totp.enrol', { id, kid: 'k', sealed: Uint8Array.of(1) })
  bench.granted(who, 'totp.confirm', { id, step: 1, recoveryHashes: [], jkt: null })
  const open = (name: string, factor: { kind: 'totp'; id: string; step: number } | null): Caller => {
    const hash = tokenHashOf(name)
    expect(ask(who, 'session.open', { hash, accessor: name, jkt: null, factor }).ok).toBe(true)
    return { ...callerFor(who), credential: { kind: 'session', hash } }
  }
  return { strong: open('strong', { kind: 'totp', id, step: 2 }), weak: open('weak', null) }
}

/** Why, and for how long. */
export const because = { reason: 'database is down, approvers are away', minutes: 15 }
