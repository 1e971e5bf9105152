/**
 * Signing in with the token of an issuer (OpenID Connect): GitHub Actions, GitLab, Kubernetes, Entra, or any other. The
 * client needs no secret of its own.
 *
 * @module
 */

import { sha256 } from '@noble/hashes/sha2.js'
import { compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import { base64url, utf8 } from '../bytes.ts'
import { type Claims, unmetConditions } from '../claim_conditions.ts'
import { PosternError, REFUSALS, refusal } from '../errors.ts'
import type { Issuer } from '../vault/access/issuer_store.ts'
import type { AssertionFlaw } from '../vault/access/session_operations.ts'
import type { IssuerKeys, KeyRequest, KeySet } from './issuer_keys.ts'
import { fittingKeys, isAccepted } from './key_set.ts'

const CLOCK_TOLERANCE_S = 30
/** The end of the year 9999, in seconds since the Unix epoch. */
const LAST_S = 253_402_300_799
/**
 * The types of tokens (RFC 8725 section 3.11): a JWT, an access token (RFC 9068 section 2.1), and the name of the
 * serialization (RFC 7515 section 4.1.9), which SPIFFE allows.
 */
const TYPES = /^(?:application\/)?(?:JWT|at\+jwt|JOSE)$/i

/** A token whose signature, issuer and audience are right. */
export interface Assertion {
  claims: Record<string, unknown>
  /** Identifies the token: a hash of what was signed. */
  once: string
  /** When it expires, in milliseconds since the Unix epoch. */
  expiresAt: number
}

/** The first flaw of a token, in the order in which they are looked for. The caller does not learn it. */
export type TokenFlaw = 'malformed' | 'type' | 'algorithm' | 'key' | 'signature' | 'issuer' | 'audience' | AssertionFlaw

/** The refusal of a token. */
export class RefusedAssertion extends PosternError {
  // Private, so that no claim appears with the error.
  readonly #assertion: Assertion | null
  readonly #flaw: TokenFlaw

  constructor(flaw: TokenFlaw, assertion: Assertion | null = null) {
    super(...REFUSALS.unauthenticated)
    this.#assertion = assertion
    this.#flaw = flaw
  }

  /** The token, for the log, if its signature, issuer and audience are right. */
  get assertion(): Assertion | null {
    return this.#assertion
  }

  get flaw(): TokenFlaw {
    return this.#flaw
  }
}

/**
 * Reads the issuer that a token names. Nothing is verified; the result only selects the keys.
 *
 * @throws {PosternError} `unauthenticated`
 */
export function issuerOf(assertion: string): string {
  try {
    const { iss } = decodeJwt(assertion)
    if (typeof iss === 'string' && iss.length <= 512) return iss
  } catch {}
  throw refusal('unauthenticated')
}

/**
 * Checks a token of an issuer (RFC 7519, RFC 8725).
 *
 * @param now Milliseconds since the Unix epoch.
 * @throws {RefusedAssertion} `unauthenticated` for any flaw of the token.
 * @throws {KeysUnavailable} `unavailable` if the keys of the issuer cannot be fetched.
 */
export async function verifyAssertion(
  assertion: string,
  issuer: Issuer,
  keys: IssuerKeys,
  now: number,
): Promise<Assertion> {
  const header = headerOf(assertion)
  const claims = claimsOf(assertion)
  const flaw = flawOf(claims, issuer, now)
  await verifySignature(assertion, header, {
    find: (wanted) => keys.find(issuer, wanted),
    findNewer: (than, wanted) => keys.findNewer(issuer, than, wanted),
    wanted: { now, urgent: flaw === null && unmetConditions(claims, issuer.claims).length === 0 },
  })
  if (flaw !== null && !isOfTime(flaw)) throw new RefusedAssertion(flaw)
  // Use its bytes, because not every issuer sets `jti`.
  const once = base64url(sha256(utf8(assertion.slice(0, assertion.lastIndexOf('.')))))
  const expiresAt = Math.ceil((Number(claims.exp) + CLOCK_TOLERANCE_S) * 1000)
  const verified = { claims: { ...claims }, once, expiresAt }
  if (flaw !== null) throw new RefusedAssertion(flaw, verified)
  return verified
}

/**
 * Whether a token is right apart from its signature, which is not looked at: its issuer, audience, times and all
 * conditions of the trust.
 *
 * @param assertion Hostile input.
 * @throws {RefusedAssertion} for a malformed token.
 */
export function isOtherwiseRight(assertion: string, issuer: Issuer, now: number): boolean {
  const claims = claimsOf(assertion)
  return flawOf(claims, issuer, now) === null && unmetConditions(claims, issuer.claims).length === 0
}

interface Header {
  alg: string
  kid?: string | undefined
}

function headerOf(assertion: string): Header {
  const { alg, kid, typ, crit } = decodedHeader(assertion)
  // A token of another type, such as one for logging out, has another meaning (RFC 8725 section 3.11).
  if (crit !== undefined || !(typ === undefined || (typeof typ === 'string' && TYPES.test(typ))))
    throw new RefusedAssertion('type')
  if (!isAccepted(alg)) throw new RefusedAssertion('algorithm')
  if (kid !== undefined && typeof kid !== 'string') throw new RefusedAssertion('malformed')
  return { alg, kid }
}

function decodedHeader(assertion: string): Record<string, unknown> {
  try {
    if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(assertion)) return decodeProtectedHeader(assertion)
  } catch {}
  throw new RefusedAssertion('malformed')
}

function claimsOf(assertion: string): Claims {
  try {
    return decodeJwt(assertion)
  } catch {
    throw new RefusedAssertion('malformed')
  }
}

/** Where keys come from, and for which token. */
interface KeySource {
  find(wanted: KeyRequest): Promise<KeySet>
  findNewer(than: KeySet, wanted: KeyRequest): Promise<KeySet | null>
  wanted: KeyRequest
}

async function verifySignature(assertion: string, header: Header, source: KeySource): Promise<void> {
  const set = await source.find(source.wanted)
  if (await isSignedBy(set, assertion, header)) return
  // A key of this very id that does not verify is an answer; anything else may be a key that the issuer added since.
  const isAnswer = fittingKeys(set.keys, header).some(({ kid }) => kid !== undefined && kid === header.kid)
  const newer = isAnswer ? null : await source.findNewer(set, source.wanted)
  if (newer !== null && (await isSignedBy(newer, assertion, header))) return
  throw new RefusedAssertion(fittingKeys((newer ?? set).keys, header).length === 0 ? 'key' : 'signature')
}

async function isSignedBy({ keys }: KeySet, assertion: string, header: Header): Promise<boolean> {
  for (const key of fittingKeys(keys, header)) {
    const isSigned = await compactVerify(assertion, key, { algorithms: [header.alg] }).then(
      () => true,
      // Keys that the runtime does not import, such as points that are not on their curve, verify nothing.
      () => false,
    )
    if (isSigned) return true
  }
  return false
}

/** The first flaw of the claims, apart from the conditions of the trust. */
function flawOf(claims: Claims, issuer: Issuer, now: number): TokenFlaw | null {
  const { iss, aud, sub, exp, nbf, iat } = claims
  if (iss !== issuer.issuer) return 'issuer'
  if (!isFor(aud, issuer)) return 'audience'
  const times = [exp, ...[nbf, iat].filter((time) => time !== undefined)]
  if (typeof sub !== 'string' || !times.every(isTime)) return 'malformed'
  return flawOfTimes({ exp: Number(exp), nbf: orNull(nbf), iat: orNull(iat) }, issuer.maxAgeSeconds, now / 1000)
}

interface Times {
  exp: number
  nbf: number | null
  /** JWT-SVIDs need not have it. */
  iat: number | null
}

/** RFC 7519 sections 4.1.4 to 4.1.6. All times are in seconds. */
function flawOfTimes({ exp, nbf, iat }: Times, maxAge: number | undefined, now: number): AssertionFlaw | null {
  if (exp <= now - CLOCK_TOLERANCE_S) return 'assertion_expired'
  if (Math.max(nbf ?? 0, iat ?? 0) > now + CLOCK_TOLERANCE_S) return 'assertion_not_yet'
  if (maxAge === undefined) return null
  if (iat === null) return 'assertion_undated'
  return now - iat > maxAge + CLOCK_TOLERANCE_S ? 'assertion_too_old' : null
}

function isOfTime(flaw: TokenFlaw): flaw is AssertionFlaw {
  return flaw.startsWith('assertion_')
}

/**
 * Whether a token is for this server, and for no other unless its trust allows that: another audience of a token could
 * use it first (OpenID Connect Core 1.0 section 3.1.3.7).
 */
function isFor(audience: unknown, { audience: ours, audiences = 'only' }: Issuer): boolean {
  const all = Array.isArray(audience) ? audience : [audience]
  if (!all.every((one) => typeof one === 'string') || !all.includes(ours)) return false
  return audiences === 'any' || all.every((one) => one === ours)
}

function isTime(time: unknown): boolean {
  return typeof time === 'number' && time >= 0 && time <= LAST_S
}

function orNull(time: unknown): number | null {
  return typeof time === 'number' ? time : null
}
