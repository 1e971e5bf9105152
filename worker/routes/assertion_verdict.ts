/**
 * What each trust says about an assertion, and how the operator learns why it is refused: the client does not.
 *
 * @module
 */
import {
  type Assertion,
  isOtherwiseRight,
  RefusedAssertion,
  type TokenFlaw,
  verifyAssertion,
} from '../../core/authentication/federation.ts'
import { KeysUnavailable } from '../../core/authentication/issuer_keys.ts'
import { unmetConditions } from '../../core/claim_conditions.ts'
import type { VersionedIssuer } from '../../core/vault/access/issuer_store.ts'
import type { AssertionFlaw } from '../../core/vault/access/session_operations.ts'
import type { RequestContext } from '../http/request_context.ts'
import type { Services } from '../services.ts'
import { type LogFields, logLine } from '../telemetry/log.ts'

/** What one trust says about an assertion. */
export type Verdict =
  | { kind: 'signed'; issuer: VersionedIssuer; assertion: Assertion; flaw: AssertionFlaw | null; unmet: string[] }
  | { kind: 'refused'; issuer: VersionedIssuer; flaw: TokenFlaw }
  | { kind: 'unavailable'; issuer: VersionedIssuer; error: KeysUnavailable; urgent: boolean }

/** Verifies an assertion under one trust. */
export async function verdictOf(
  { issuerKeys }: Services,
  issuer: VersionedIssuer,
  assertion: string,
): Promise<Verdict> {
  const now = Date.now()
  try {
    return signed(issuer, await verifyAssertion(assertion, issuer, issuerKeys, now), null)
  } catch (error) {
    if (error instanceof KeysUnavailable) {
      return { kind: 'unavailable', issuer, error, urgent: isOtherwiseRight(assertion, issuer, now) }
    }
    if (!(error instanceof RefusedAssertion)) throw error
    // Its flaw is one of time where the assertion is given.
    if (error.assertion !== null) return signed(issuer, error.assertion, error.flaw as AssertionFlaw)
    return { kind: 'refused', issuer, flaw: error.flaw }
  }
}

function signed(issuer: VersionedIssuer, assertion: Assertion, flaw: AssertionFlaw | null): Verdict {
  return { kind: 'signed', issuer, assertion, flaw, unmet: unmetConditions(assertion.claims, issuer.claims) }
}

/** Whether a trust accepts an assertion, as far as its claims and its signature tell. */
export function isAccepted(verdict: Verdict): boolean {
  return verdict.kind === 'signed' && verdict.flaw === null && verdict.unmet.length === 0
}

/**
 * The error for an assertion that may be accepted once keys are available. Only a token that is right apart from its
 * signature learns that it should come again: otherwise a stranger would learn which issuers are trusted.
 *
 * @returns `null` if the verdicts are final.
 */
export function waitingFor(verdicts: readonly Verdict[]): KeysUnavailable | null {
  if (verdicts.some(isAccepted)) return null
  const waits = verdicts.flatMap((verdict) => (verdict.kind === 'unavailable' && verdict.urgent ? [verdict.error] : []))
  const [longest] = waits.toSorted((a, b) => (b.detail.retryAfterSeconds ?? 0) - (a.detail.retryAfterSeconds ?? 0))
  return longest ?? null
}

/** The most trusts that one request is logged for: the closest ones. */
const MAX_REPORTED = 5

/** Logs, under the request's id, which keys could not be fetched, and why no trust accepts the assertion. */
export function report(services: Services, c: RequestContext, verdicts: readonly Verdict[]): void {
  for (const verdict of verdicts) {
    if (verdict.kind !== 'unavailable') continue
    const { code, why } = verdict.error
    write(services, c, 'issuer_failed', { issuer: verdict.issuer.id, code, ...why })
  }
  if (verdicts.some(isAccepted)) return
  const closest = verdicts.toSorted((a, b) => distanceOf(a) - distanceOf(b)).slice(0, MAX_REPORTED)
  for (const verdict of closest) {
    const about = aboutOf(verdict)
    if (about !== null) write(services, c, 'assertion_refused', { issuer: verdict.issuer.id, ...about })
  }
}

/** Logs why an assertion is refused where no trust is the cause. */
export function reportRefusal(
  services: Services,
  c: RequestContext,
  flaw: 'issuer_unknown' | 'used_or_disabled',
): void {
  write(services, c, 'assertion_refused', { flaw })
}

function distanceOf(verdict: Verdict): number {
  return verdict.kind === 'signed' ? verdict.unmet.length : Number.MAX_SAFE_INTEGER
}

/** Names of claims, and never what is in them. */
function aboutOf(verdict: Verdict): LogFields | null {
  if (verdict.kind === 'unavailable') return null
  if (verdict.kind === 'refused') return { flaw: verdict.flaw }
  const { flaw, unmet, assertion } = verdict
  if (flaw === null) return { flaw: 'claims', claims: unmet }
  return { flaw, seconds: secondsOff(assertion, flaw), ...(unmet.length > 0 && { claims: unmet }) }
}

/** By how many seconds the token and the clock of this server differ, for a reader who looks for a wrong clock. */
function secondsOff({ claims: { exp, nbf, iat } }: Assertion, flaw: AssertionFlaw): number | null {
  const now = Math.floor(Date.now() / 1000)
  if (flaw === 'assertion_expired') return now - Number(exp)
  if (flaw === 'assertion_too_old') return now - Number(iat)
  return flaw === 'assertion_not_yet' ? Math.max(Number(nbf ?? 0), Number(iat ?? 0)) - now : null
}

function write({ assertionLog }: Services, c: RequestContext, event: string, fields: LogFields): void {
  const { vault, requestId } = c.var
  // Strangers can send as many wrong tokens as they like.
  const key = [vault, event, fields.issuer, fields.flaw ?? fields.cause].join(' ')
  const room = assertionLog.take(key, Date.now())
  if (room !== null) logLine('warn', event, { requestId, vault, ...fields, ...(room === 0 && { andMore: true }) })
}
