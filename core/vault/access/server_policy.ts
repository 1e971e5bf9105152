/**
 * The policy of a whole server, above the rules of any vault.
 *
 * @module
 */

import { inRange, type Range } from '../../addresses.ts'
import { HOUR_MS } from '../../durations.ts'
import { globMatches } from '../../patterns.ts'
import type { RateLimit, RateWindow } from '../../rate_limit.ts'
import type { ComplexityFloor } from '../../values/strength.ts'
import type { LockoutPolicy } from './lockout.ts'
import type { PrincipalKind } from './principal_store.ts'
import type { Action, Circumstances, Decision } from './rules.ts'

/** The settings below `security`, as the vault uses them. */
export interface ServerPolicy extends LockoutPolicy {
  sessionIdleMs: number
  sessionMaxMs: number
  /** Users need a second factor for every operation that needs a right. Services have none. */
  requireMfa: boolean
  requireMfaForAdmin: boolean
  /** Requests from elsewhere are denied; `null`: from anywhere. */
  allowedIpRanges: readonly Range[] | null
  /** Requests by others are denied; `null`: by any. */
  allowedUserAgents: readonly string[] | null
  /** The requirements for every value, in every vault; `null` if there are none. */
  complexityFloor: ComplexityFloor | null
  /** The rate limits on a request. */
  windows(principal: string, source: string): RateWindow[]
  /** The rate limits on reads of a principal that a cache could have answered and may not. */
  revalidationWindows(principal: string): RateWindow[]
  /** The rate limits on requests of a source that are not identified. */
  refusalWindows(source: string): RateWindow[]
}

/** The settings that a policy is made of. */
export interface SecuritySettings {
  maxFailedAttempts: number
  lockoutDurationMinutes: number
  sessionTimeoutMinutes: number
  sessionMaxHours: number
  requireMfa: boolean
  requireMfaForAdmin: boolean
  allowedIpRanges?: readonly Range[] | undefined
  allowedUserAgents?: readonly string[] | undefined
  secretComplexityMinLength?: number | undefined
  secretComplexityRequireUpper: boolean
  secretComplexityRequireLower: boolean
  secretComplexityRequireDigit: boolean
  secretComplexityRequireSpecial: boolean
  principalRate: readonly RateLimit[]
  sourceRate: readonly RateLimit[]
  vaultRate: readonly RateLimit[]
  revalidationRate: readonly RateLimit[]
  refusalRate: readonly RateLimit[]
}

/** Makes the policy of settings. */
export function serverPolicy(settings: SecuritySettings): ServerPolicy {
  const { principalRate, sourceRate, vaultRate, revalidationRate, refusalRate } = settings
  const {
    requireMfa,
    requireMfaForAdmin,
    maxFailedAttempts,
    allowedIpRanges = null,
    allowedUserAgents = null,
  } = settings
  return {
    maxFailedAttempts,
    lockoutMs: settings.lockoutDurationMinutes * 60_000,
    sessionIdleMs: settings.sessionTimeoutMinutes * 60_000,
    sessionMaxMs: settings.sessionMaxHours * HOUR_MS,
    requireMfa,
    requireMfaForAdmin,
    allowedIpRanges,
    allowedUserAgents,
    complexityFloor: complexityFloorOf(settings),
    windows: (principal, source) => [
      // Strangers share one count a source, not one for all: they could stop each other's sign-in.
      ...(principal === '' ? [] : principalRate.map((limit) => ({ name: 'principal', key: principal, limit }))),
      ...sourceRate.map((limit) => ({ name: 'source', key: source, limit })),
      ...vaultRate.map((limit) => ({ name: 'vault', key: '', limit })),
    ],
    revalidationWindows: (principal) =>
      revalidationRate.map((limit) => ({ name: 'revalidations', key: principal, limit })),
    refusalWindows: (source) => refusalRate.map((limit) => ({ name: 'refusals', key: source, limit })),
  }
}

/** The requirements for all values that settings make; `null` if they make none. */
export function complexityFloorOf(settings: SecuritySettings): ComplexityFloor | null {
  const floor = {
    minLength: settings.secretComplexityMinLength ?? 0,
    requireUpper: settings.secretComplexityRequireUpper,
    requireLower: settings.secretComplexityRequireLower,
    requireDigit: settings.secretComplexityRequireDigit,
    requireSpecial: settings.secretComplexityRequireSpecial,
  }
  return Object.values(floor).some(Boolean) ? floor : null
}

/**
 * Refuses the requests that no rule of a vault can permit.
 *
 * @returns A refusal that names the setting in place of a rule, or `null` to continue with the rules.
 */
export function barrier(
  policy: ServerPolicy,
  kind: PrincipalKind,
  action: Action | null,
  { address, agent, mfaAt }: Circumstances,
): Decision | null {
  const { allowedIpRanges, allowedUserAgents, requireMfa, requireMfaForAdmin } = policy
  if (allowedIpRanges !== null && !allowedIpRanges.some((range) => address !== null && inRange(address, range))) {
    return { allow: false, rule: 'settings:allowedIpRanges' }
  }
  if (allowedUserAgents !== null && !allowedUserAgents.some((glob) => agent !== null && globMatches(glob, agent))) {
    return { allow: false, rule: 'settings:allowedUserAgents' }
  }
  if (action === null || mfaAt !== null) return null
  if (requireMfa && kind === 'user') return { allow: false, rule: 'settings:requireMfa', missing: 'mfa' }
  if (requireMfaForAdmin && action === 'admin')
    return { allow: false, rule: 'settings:requireMfaForAdmin', missing: 'mfa' }
  return null
}
