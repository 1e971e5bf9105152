/**
 * The severity of entries.
 *
 * @module
 */
import type { Reason } from '../../errors.ts'

/**
 * The severity of an entry. From `notice` on it is a security event.
 *
 * - `info`: routine
 * - `notice`: rights changed, a principal signed in, something was erased for good
 * - `warning`: a request without the right, or a wrong guess, was refused
 * - `alert`: an operator should look now
 */
export const SEVERITIES = ['info', 'notice', 'warning', 'alert'] as const
/** One of {@link SEVERITIES}. */
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
 * @param securityEvent Whether the operation is a security event when it succeeds, or even an alert.
 * @param locked Whether it locked out a principal.
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

/** The severity as a number, for comparisons: 0 is the lowest. */
export function rank(severity: Severity): number {
  return Math.max(0, SEVERITIES.indexOf(severity))
}
