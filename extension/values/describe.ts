/**
 * The description of a secret that is shown instead of its value: version, age, provider, expiry.
 *
 * @module
 */
import * as vscode from 'vscode'
import { explain } from '../shared/errors.ts'
import type { LeaseOutcome } from './lease.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const EXPIRES_SOON_MS = 14 * DAY

/** Metadata of a secret, wherever it came from. */
export interface SecretFacts {
  /** A number, or what a provider calls its version. */
  version: number | string
  /** Not every provider says. */
  createdAt?: string | undefined
  updatedAt?: string | undefined
  expiresAt?: string | undefined
  provider?: string | undefined
  contentType?: string | undefined
  /** Members of the chain that could not answer. */
  passedOver?: readonly { provider: string; why: string }[] | undefined
  /** Set when it came from the cache; stale when nobody could be reached. */
  cached?: { ageSeconds: number; stale?: true | undefined } | undefined
}

/** One line about a secret, such as `aws · v12 · 3 d old · expires in 2 h`. */
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
 * The same for whatever became of a reference.
 *
 * @param listed What the list of names says now: a version that came since then is told.
 */
export function describeOutcome(outcome: LeaseOutcome, listed?: SecretFacts, now = Date.now()): string {
  if ('error' in outcome) return `✗ ${explain(outcome.error).message}`
  const { secret } = outcome
  const sign = secret.cached?.stale ? '⚠' : secret.passedOver ? '↪' : '✓'
  return [`${sign} ${describe(secret, now)}`, ...newer(secret, listed)].join(' · ')
}

/** Why a secret did not come from where it should, a line for each member that was passed over. */
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

/** Whether a secret has expired, or is about to. */
export function expiryOf({ expiresAt }: SecretFacts, now = Date.now()): 'expired' | 'soon' | null {
  if (expiresAt === undefined) return null
  const left = Date.parse(expiresAt) - now
  return left <= 0 ? 'expired' : left < EXPIRES_SOON_MS ? 'soon' : null
}

/** A length of time in its largest whole unit. */
export function span(ms: number): string {
  const { t } = vscode.l10n
  if (ms >= DAY) return t('{0} d', Math.floor(ms / DAY))
  if (ms >= HOUR) return t('{0} h', Math.floor(ms / HOUR))
  return t('{0} min', Math.max(0, Math.floor(ms / MINUTE)))
}

function newer({ version }: SecretFacts, listed?: SecretFacts): string[] {
  // What a provider calls its versions is in no order.
  const isNewer = typeof version === 'number' && typeof listed?.version === 'number' && listed.version > version
  return isNewer ? [vscode.l10n.t('v{0} is current', listed.version)] : []
}

function expiry(facts: SecretFacts, now: number): string {
  const { t } = vscode.l10n
  if (facts.expiresAt === undefined) return ''
  if (expiryOf(facts, now) === 'expired') return t('expired')
  return t('expires in {0}', span(Date.parse(facts.expiresAt) - now))
}

/** Where a value came from. First in line, where an editor that cuts long hints off leaves it. */
function detour({ provider, passedOver = [], cached }: SecretFacts): (string | undefined)[] {
  const { t } = vscode.l10n
  const names = [...new Set(passedOver.map((one) => one.provider))].join(', ')
  const age = span((cached?.ageSeconds ?? 0) * 1000)
  if (cached?.stale) return [t('STALE, cached {0} ago', age), provider, names && t('{0} unreachable', names)]
  const source = provider !== undefined && names !== '' ? t('{0} instead of {1}', provider, names) : provider
  return [source, cached && t('cached {0} ago', age)]
}
