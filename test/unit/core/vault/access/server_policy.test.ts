import { describe, expect, it } from 'vitest'
import { parseRange } from '../../../../../core/addresses.ts'
import type { Circumstances } from '../../../../../core/vault/access/rules.ts'
import { barrier, type SecuritySettings, serverPolicy } from '../../../../../core/vault/access/server_policy.ts'
import { UNLIMITED } from '../../../../support/core.ts'

const here: Circumstances = {
  address: '10.1.2.3',
  agent: 'postern/1.0',
  method: 'session',
  bound: false,
  mfaAt: null,
  now: 1_000_000,
}
const policyWith = (settings: Partial<SecuritySettings>) => serverPolicy({ ...UNLIMITED, ...settings })
const ranges = (...texts: string[]) => texts.map((text) => parseRange(text))

describe('securityPolicy', () => {
  it('turns minutes and hours into milliseconds', () => {
    const settings = { lockoutDurationMinutes: 2, sessionTimeoutMinutes: 3, sessionMaxHours: 4, maxFailedAttempts: 5 }
    expect(policyWith(settings)).toMatchObject({
      maxFailedAttempts: 5,
      lockoutMs: 120_000,
      sessionIdleMs: 180_000,
      sessionMaxMs: 14_400_000,
    })
  })

  it('counts by principal, by source and by vault; strangers by source and vault alone', () => {
    const limit = (requests: number) => ({ requests, periodMs: 1000 })
    const { windows } = policyWith({
      principalRate: [limit(1), limit(2)],
      sourceRate: [limit(3)],
      vaultRate: [limit(4)],
    })
    const common = [
      { name: 'source', key: '192.0.2.1', limit: limit(3) },
      { name: 'vault', key: '', limit: limit(4) },
    ]
    expect(windows('ann', '192.0.2.1')).toEqual([
      { name: 'principal', key: 'ann', limit: limit(1) },
      { name: 'principal', key: 'ann', limit: limit(2) },
      ...common,
    ])
    expect(windows('', '192.0.2.1')).toEqual(common)
    expect(policyWith({}).windows('ann', '192.0.2.1')).toEqual([])
  })
})

describe('barrier', () => {
  const elsewhere = { allow: false, rule: 'settings:allowedIpRanges' }
  const otherAgent = { allow: false, rule: 'settings:allowedUserAgents' }
  const mfa = (rule: string) => ({ allow: false, rule: `settings:${rule}`, missing: 'mfa' })

  it('blocks no request without settings', () => {
    const policy = policyWith({})
    for (const action of ['read', 'admin', null] as const) {
      for (const kind of ['user', 'service'] as const) {
        expect(barrier(policy, kind, action, { ...here, address: null, agent: null })).toBeNull()
      }
    }
  })

  it('admits callers from an allowed range, even to operations that need no right', () => {
    const policy = policyWith({ allowedIpRanges: ranges('10.0.0.0/8', '2001:db8::/32') })
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1']) {
      expect(barrier(policy, 'user', 'read', { ...here, address })).toBeNull()
    }
    for (const address of ['11.1.2.3', '2001:db9::1', 'nonsense', '', null]) {
      for (const action of ['read', 'admin', null] as const) {
        expect(barrier(policy, 'service', action, { ...here, address })).toEqual(elsewhere)
      }
    }
  })

  it('row 27: admits no caller when the list is empty', () => {
    expect(barrier(policyWith({ allowedIpRanges: [] }), 'user', 'read', here)).toEqual(elsewhere)
    expect(barrier(policyWith({ allowedUserAgents: [] }), 'user', 'read', here)).toEqual(otherAgent)
  })

  it('admits allowed user agents, and no caller without one', () => {
    const policy = policyWith({ allowedUserAgents: ['postern/*', 'curl/8'] })
    for (const agent of ['postern/1.0', 'postern/', 'curl/8']) {
      expect(barrier(policy, 'user', 'read', { ...here, agent })).toBeNull()
    }
    for (const agent of ['Postern/1.0', 'xpostern/1', 'curl/8.1', '', null]) {
      expect(barrier(policy, 'user', null, { ...here, agent })).toEqual(otherAgent)
    }
  })

  it('requires a second factor from users for operations that need a right, and none from services', () => {
    const policy = policyWith({ requireMfa: true })
    expect(barrier(policy, 'user', 'read', here)).toEqual(mfa('requireMfa'))
    expect(barrier(policy, 'user', null, here)).toBeNull()
    expect(barrier(policy, 'service', 'read', here)).toBeNull()
    expect(barrier(policy, 'user', 'read', { ...here, mfaAt: 0 })).toBeNull()
  })

  it('requires a second factor from all principals for administration', () => {
    const policy = policyWith({ requireMfaForAdmin: true })
    for (const kind of ['user', 'service'] as const) {
      expect(barrier(policy, kind, 'admin', here)).toEqual(mfa('requireMfaForAdmin'))
      expect(barrier(policy, kind, 'read', here)).toBeNull()
      expect(barrier(policy, kind, 'admin', { ...here, mfaAt: 0 })).toBeNull()
    }
  })

  it('does not mention a second factor to callers from other addresses', () => {
    const policy = policyWith({ allowedIpRanges: ranges('192.0.2.0/24'), requireMfa: true })
    expect(barrier(policy, 'user', 'admin', here)).toEqual(elsewhere)
    expect(barrier(policy, 'user', 'admin', { ...here, mfaAt: 1 })).toEqual(elsewhere)
  })
})
