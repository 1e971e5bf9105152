/**
 * Describes a secret without its value: provider, version, age and expiry.
 *
 * @module
 */
import * as vscode from 'vscode'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../core/durations.ts'
import { explain } from '../shared/errors.ts'
import type { LeaseOutcome } from './lease.ts'

const EXPIRES_SOON_MS = 14 * DAY_MS

/** The metadata of a secret, from a list or from a read. */
export interface SecretFacts {
  /** A number, or the provider's own name for the version. */
  version: number | string
  /** Missing if the provider does not report it. */
  createdAt?: string | undefined
  updatedAt?: string | undefined
  expiresAt?: string | undefined
  provider?: string | undefined
  contentType?: string | undefined
  /** The members of the chain that failed to provide the secret. */
  passedOver?: readonly { provider: string; why: string }[] | undefined
  /** Set if the secret came from the cache. The copy is stale if no provider could be reached. */
  cached?: { ageSeconds: number; stale?: true | undefined } | undefined
}

/** Describes a secret in one line, such as `aws · v12 · 3 d old · expires in 2 h`. */
export function describe(facts: SecretFacts, now = Date.now()): string {
  const { t } = vscode.l10n
  const since = facts.updatedAt ?? facts.createdAt
  const age = since === undefined ? '' : t('{0} old', span(now - Date.parse(since)))
  const parts = [
    ...detour(facts),
    typeof facts.version === 'number' ? t('v{0}', facts.version) : facts.version.slice(0, 12),
    age,
    expiry(facts, now),
  ]
  return parts.filter(Boolean).join(' · ')
}

/**
 * Describes the outcome of a reference in one line: the secret or the error.
 *
 * @param listed The current metadata from the list of names, which may show a newer version.
 */
export function describeOutcome(outcome: LeaseOutcome, listed?: SecretFacts, now = Date.now()): string {
  if ('error' in outcome) return `✗ ${explain(outcome.error).message}`
  const { secret } = outcome
  const sign = secret.cached?.stale ? '⚠' : secret.passedOver ? '↪' : '✓'
  return [`${sign} ${describe(secret, now)}`, ...newer(secret, listed)].join(' · ')
}

/** Returns the reasons why a secret came from a fallback, one line for each failed member of the chain. */
export function reasonsOf({ passedOver = [] }: SecretFacts): string[] {
  const { t } = vscode.l10n
  const words: Record<string, string> = {
    timeout: t('timed out'),
    throttled: t('was rate limited'),
    sealed: t('is sealed'),
    unavailable: t('was unreachable'),
    breaker: t('is paused after failures'),
    retry_after: t('asked clients to back off'),
    not_found: t('has no such secret'),
  }
  return passedOver.map(({ provider, why }) => `${provider} ${words[why] ?? why}`)
}

/** Returns whether a secret has expired or expires within 14 days, or `null`. */
export function expiryOf({ expiresAt }: SecretFacts, now = Date.now()): 'expired' | 'soon' | null {
  if (expiresAt === undefined) return null
  const left = Date.parse(expiresAt) - now
  return left <= 0 ? 'expired' : left < EXPIRES_SOON_MS ? 'soon' : null
}

/** Formats a duration in days, hours or minutes, rounded down. */
export function span(ms: number): string {
  const { t } = vscode.l10n
  if (ms >= DAY_MS) return t('{0} d', Math.floor(ms / DAY_MS))
  if (ms >= HOUR_MS) return t('{0} h', Math.floor(ms / HOUR_MS))
  return t('{0} min', Math.max(0, Math.floor(ms / MINUTE_MS)))
}

function newer({ version }: SecretFacts, listed?: SecretFacts): string[] {
  // The version names of a provider have no order.
  const isNewer = typeof version === 'number' && typeof listed?.version === 'number' && listed.version > version
  return isNewer ? [vscode.l10n.t('v{0} is current', listed.version)] : []
}

function expiry(facts: SecretFacts, now: number): string {
  const { t } = vscode.l10n
  if (facts.expiresAt === undefined) return ''
  if (expiryOf(facts, now) === 'expired') return t('expired')
  return t('expires in {0}', span(Date.parse(facts.expiresAt) - now))
}

/** Returns the origin of a value. It comes first, because some editors cut off the end of a long hint. */
function detour({ provider, passedOver = [], cached }: SecretFacts): (string | undefined)[] {
  const { t } = vscode.l10n
  const names = [...new Set(passedOver.map((one) => one.provider))].join(', ')
  const age = span((cached?.ageSeconds ?? 0) * 1000)
  if (cached?.stale) return [t('STALE, cached {0} ago', age), provider, names && t('{0} unreachable', names)]
  const source = provider !== undefined && names !== '' ? t('{0} instead of {1}', provider, names) : provider
  return [source, cached && t('cached {0} ago', age)]
}
