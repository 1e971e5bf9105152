import type { Reason } from '../../errors.ts'

/**
 * How much an entry matters to whoever watches: from `notice` on it is a security event.
 *
 * - `info`: what happens all day
 * - `notice`: who may do what was changed, somebody signed in, something was erased for good
 * - `warning`: somebody was refused what it has no right to, or a guess was wrong
 * - `alert`: somebody should look now
 */
export const SEVERITIES = ['info', 'notice', 'warning', 'alert'] as const
export type Severity = (typeof SEVERITIES)[number]

const ALERTS: ReadonlySet<string> = new Set<Reason>([
  'tampered',
  'no_key',
  'rolled_back',
  'schema_changed',
  'log_changed',
])
const WARNINGS: ReadonlySet<string> = new Set<Reason>([
  'denied',
  'mfa_required',
  'unauthenticated',
  'throttled',
  'ticket_used',
  'has_principals',
  'no_principal',
  'held',
])

/**
 * The severity of an event.
 *
 * @param notable Whether what was done is a security event when it succeeds, or even an alert.
 * @param locked Whether it locked somebody out.
 */
export function severityOf(
  outcome: 'ok' | Reason,
  { securityEvent, locked }: { securityEvent: boolean | 'alert' | undefined; locked: boolean },
): Severity {
  if (locked || ALERTS.has(outcome)) return 'alert'
  if (WARNINGS.has(outcome)) return 'warning'
  if (!securityEvent || outcome !== 'ok') return 'info'
  return securityEvent === true ? 'notice' : 'alert'
}

/** As a number, for comparing: 0 is the least. */
export function rank(severity: Severity): number {
  return Math.max(0, SEVERITIES.indexOf(severity))
}
