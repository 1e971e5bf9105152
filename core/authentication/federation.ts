/**
 * Signing in with the token of an issuer (OpenID Connect): GitHub Actions, GitLab, Kubernetes, Entra, or any other. The
 * client needs no secret of its own.
 *
 * @module
 */

import { sha256 } from '@noble/hashes/sha2.js'
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from 'jose'
import { LRUCache } from 'lru-cache'
import { base64url, parseBase64url, utf8 } from '../bytes.ts'
import { DAY_MS } from '../durations.ts'
import { PosternError, REFUSALS, refusal } from '../errors.ts'
import { type SendOptions, send } from '../http/send.ts'
import { parseJson } from '../json.ts'
import type { Issuer } from '../vault/access/issuer_store.ts'
import type { AssertionFlaw } from '../vault/access/session_operations.ts'

// RS256 is what GitHub, Kubernetes and AWS sign with; it is only ever verified here, never made.
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519']
const CLOCK_TOLERANCE_S = 30
/** No limit on the age of a token: its issuer decides with `exp`. */
const ANY_AGE_S = 100 * 365 * 24 * 3600
const MAX_JWKS_BYTES = 64 * 1024
const MAX_KEYS = 50
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 16_384
// FIPS 186-5 section 5.4: e is below 2^256.
const MAX_EXPONENT_BITS = 256
const FRESH_MS = 600_000
const COOLDOWN_MS = 30_000
const COLD_COOLDOWN_MS = 1_000
const MAX_STALE_MS = DAY_MS
const FETCH_TIMEOUT_MS = 5_000

/** A token whose signature, issuer and audience are right. */
export interface Assertion {
  claims: Record<string, unknown>
  /** Identifies the token: a hash of what was signed. */
  once: string
  /** When it expires, in milliseconds since the Unix epoch. */
  expiresAt: number
}

/** The refusal of a token whose signature, issuer and audience are right, and whose time is wrong. */
export class FlawedAssertion extends PosternError {
  // Private, so that no claim appears with the error.
  readonly #assertion: Assertion
  readonly #flaw: AssertionFlaw

  constructor(assertion: Assertion, flaw: AssertionFlaw) {
    super(...REFUSALS.unauthenticated)
    this.#assertion = assertion
    this.#flaw = flaw
  }

  /** The token, for the log. */
  get assertion(): Assertion {
    return this.#assertion
  }

  get flaw(): AssertionFlaw {
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
 * @throws {PosternError} `unauthenticated` for any flaw of the token, as a {@link FlawedAssertion} if only its times
 *   are wrong; `unavailable` if the keys of the issuer cannot be fetched.
 */
export async function verifyAssertion(
  assertion: string,
  issuer: Issuer,
  keys: IssuerKeys,
  now: number,
): Promise<Assertion> {
  const { kid, crit, typ } = header(assertion)
  // A token of another type, such as one for logging out, has another meaning (RFC 8725 section 3.11).
  const isToken = typ === undefined || /^(?:application\/)?(?:JWT|at\+jwt)$/i.test(typ)
  if (kid === undefined || crit !== undefined || !isToken) throw refusal('unauthenticated')
  const jwks = await keys.find(issuer, kid, now)
  const options = {
    algorithms: ALGORITHMS,
    issuer: issuer.issuer,
    audience: issuer.audience,
    requiredClaims: ['exp', 'iat', 'sub'],
    maxTokenAge: issuer.maxAgeSeconds ?? ANY_AGE_S,
    clockTolerance: CLOCK_TOLERANCE_S,
    currentDate: new Date(now),
  }
  const { payload, flaw } = await jwtVerify(assertion, createLocalJWKSet(jwks), options).then(
    (verified): Verified => ({ payload: verified.payload, flaw: null }),
    flawed,
  )
  // The only audience must be this server: a token for several could be used elsewhere first.
  if (Array.isArray(payload.aud) && payload.aud.length !== 1) throw refusal('unauthenticated')
  // Use its bytes, because not every issuer sets `jti`.
  const once = base64url(sha256(utf8(assertion.slice(0, assertion.lastIndexOf('.')))))
  const verified = { claims: { ...payload }, once, expiresAt: payload.exp! * 1000 + CLOCK_TOLERANCE_S * 1000 }
  if (flaw !== null) throw new FlawedAssertion(verified, flaw)
  return verified
}

interface Verified {
  payload: JWTPayload
  flaw: AssertionFlaw | null
}

/** Distinguishes wrong times from any other flaw: jose checks times last, after signature, issuer and audience. */
function flawed(error: unknown): Verified {
  if (error instanceof errors.JWTExpired) {
    return { payload: error.payload, flaw: error.claim === 'iat' ? 'assertion_too_old' : 'assertion_expired' }
  }
  const isTime = error instanceof errors.JWTClaimValidationFailed && error.reason === 'check_failed'
  if (isTime && (error.claim === 'nbf' || error.claim === 'iat')) {
    return { payload: error.payload, flaw: 'assertion_not_yet' }
  }
  throw refusal('unauthenticated')
}

interface Cached {
  jwks: JSONWebKeySet
  fetchedAt: number
  /** The ids of the usable keys. */
  kids: Set<string>
}

/**
 * The keys of issuers, cached for ten minutes.
 *
 * An unknown key id fetches the keys again, at most once in 30 seconds: strangers choose key ids. While the issuer is
 * unreachable, its last keys stay valid for a day.
 */
export class IssuerKeys {
  readonly #options: SendOptions
  readonly #shared: boolean
  readonly #cached = new LRUCache<string, Cached>({ max: 100 })
  readonly #asked = new LRUCache<string, { at: number; answer: Promise<Cached> }>({ max: 100 })

  /** @param options.shared Whether requests may wait for each other's answer: not on Workers. */
  constructor({ shared = true, ...options }: SendOptions & { shared?: boolean } = {}) {
    this.#shared = shared
    this.#options = { timeoutMs: FETCH_TIMEOUT_MS, maxBytes: MAX_JWKS_BYTES, ...options }
  }

  /** Returns the keys of an issuer, including the given one if it exists. */
  async find(issuer: Issuer, kid: string, now: number): Promise<JSONWebKeySet> {
    const id = `${issuer.issuer} ${issuer.jwksUri ?? ''}`
    const known = this.#cached.get(id)
    if (known?.kids.has(kid) && now - known.fetchedAt < FRESH_MS) return known.jwks
    try {
      const fetched = await this.#ask(id, issuer, now)
      if (fetched.kids.has(kid)) return fetched.jwks
    } catch (error) {
      if (known?.kids.has(kid) && now - known.fetchedAt < MAX_STALE_MS) return known.jwks
      throw error
    }
    throw refusal('unauthenticated')
  }

  /**
   * Fetches once for all concurrent callers, and not again during the cooldown. Where requests must not wait for each
   * other, one that comes meanwhile uses the known keys.
   */
  #ask(id: string, issuer: Issuer, now: number): Promise<Cached> {
    const asked = this.#asked.get(id)
    const known = this.#cached.get(id)
    // Unshared, a response that is lost with its request must not block all others for long.
    const cooldownMs = this.#shared || known ? COOLDOWN_MS : COLD_COOLDOWN_MS
    if (asked && Math.abs(now - asked.at) < cooldownMs) {
      if (this.#shared) return asked.answer
      const usable = known && now - known.fetchedAt < MAX_STALE_MS
      return usable ? Promise.resolve(known) : Promise.reject(refusal('provider_answer'))
    }
    const answer = this.#fetch(issuer, now).then((cached) => {
      this.#cached.set(id, cached)
      return cached
    })
    answer.catch(() => {})
    this.#asked.set(id, { at: now, answer })
    return answer
  }

  async #fetch(issuer: Issuer, now: number): Promise<Cached> {
    const jwksUri = issuer.jwksUri ?? (await this.#discover(issuer.issuer))
    const { keys } = Object(await this.#json(jwksUri)) as { keys?: unknown }
    if (!Array.isArray(keys) || keys.length > MAX_KEYS) throw refusal('provider_answer')
    const usable = keys.filter(
      (key) => key?.kty !== 'oct' && key?.use !== 'enc' && typeof key?.kid === 'string' && !isWeak(key),
    )
    const kids = new Set<string>(usable.map(({ kid }) => kid))
    // With two keys of one id, an attacker would choose between them.
    if (kids.size < usable.length) throw refusal('provider_answer')
    return { jwks: { keys: usable }, fetchedAt: now, kids }
  }

  /** OpenID Connect Discovery 1.0 section 4: the metadata must name the very issuer it was found by. */
  async #discover(issuer: string): Promise<string> {
    const found = Object(await this.#json(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`))
    const { issuer: named, jwks_uri: jwksUri } = found as Record<string, unknown>
    if (named !== issuer || typeof jwksUri !== 'string') throw refusal('provider_answer')
    return jwksUri
  }

  async #json(url: string): Promise<unknown> {
    try {
      const { status, body } = await send(url, { headers: { Accept: 'application/json' } }, this.#options)
      if (status === 200) return parseJson(body)
    } catch {
      // A failure of the issuer is not an error of the client.
    }
    throw refusal('provider_answer')
  }
}

/**
 * Whether a key is an RSA key that proves nothing: with e = 1 a signature is its own message, and Node imports it. The
 * exponent is odd and at least 3 (RFC 8017 section 3.1), the modulus has at least 2048 bits (RFC 7518 section 3.3), and neither is so
 * large that verifying takes long. Points that are not on their curve are refused by every runtime.
 */
function isWeak({ kty, n, e }: Record<string, unknown>): boolean {
  if (kty !== 'RSA') return false
  const [modulus, exponent] = [integerOf(n, MAX_RSA_BITS), integerOf(e, MAX_EXPONENT_BITS)]
  if (modulus === null || exponent === null) return true
  return exponent < 3n || exponent % 2n === 0n || modulus.toString(2).length < MIN_RSA_BITS
}

/**
 * Parses a number in base64url (RFC 7518 section 2, Base64urlUInt). Returns `null` if it is malformed or has too many
 * bits.
 */
function integerOf(text: unknown, maxBits: number): bigint | null {
  const bytes = typeof text === 'string' && text.length <= maxBits ? parseBase64url(text) : null
  if (bytes === null || bytes.length === 0) return null
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return value.toString(2).length <= maxBits ? value : null
}

function header(assertion: string): { kid?: string | undefined; typ?: string | undefined; crit?: unknown } {
  try {
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(assertion)) throw refusal('unauthenticated')
    return decodeProtectedHeader(assertion)
  } catch {
    throw refusal('unauthenticated')
  }
}
