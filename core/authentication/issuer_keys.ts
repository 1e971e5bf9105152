/**
 * The keys of issuers: fetched from where their metadata says, kept, and found again after a rotation.
 *
 * @module
 */
import type { JWK } from 'jose'
import { LRUCache } from 'lru-cache'
import { DAY_MS } from '../durations.ts'
import { PosternError, REFUSALS } from '../errors.ts'
import { NoAnswer, type SendOptions, send } from '../http/send.ts'
import { parseJson } from '../json.ts'
import { sleep } from '../sleep.ts'
import type { Issuer } from '../vault/access/issuer_store.ts'
import { usableKeys } from './key_set.ts'

// Multi-tenant providers publish a key for each tenant, with its certificates. The cache keeps the keys alone.
const MAX_KEYS = 200
const MAX_BYTES = 512 * 1024
const MAX_STRINGS = 20_000
const FRESH_MS = 600_000
const MAX_STALE_MS = DAY_MS
const FETCH_TIMEOUT_MS = 5_000

/** How long requests are counted that limit the next one. */
const WINDOW_MS = 60_000
/** The pause after the first request; it doubles with each further one in the window. */
const FIRST_PAUSE_MS = 1_000
const MAX_PAUSE_MS = 30_000
/** The longest time that a sign-in waits for the next request. */
const MAX_WAIT_MS = 4_000
const POLL_MS = 50
/** Longer than a pause and two requests: a request of an abandoned sign-in must not block others for ever. */
const ABANDONED_MS = MAX_WAIT_MS + 2 * FETCH_TIMEOUT_MS + 1_000

/** The usable keys of an issuer, as they were at one time. */
export interface KeySet {
  readonly keys: readonly JWK[]
  /** In milliseconds since the Unix epoch. */
  readonly fetchedAt: number
}

/** For which token keys are wanted. */
export interface KeyRequest {
  /** Milliseconds since the Unix epoch. */
  now: number
  /**
   * Whether the token is right apart from its signature. Only then are keys fetched more than once in 30 seconds:
   * strangers choose the ids of keys, and must not choose how often an issuer is asked.
   */
  urgent: boolean
}

/** Why the keys of an issuer are not available. */
type Cause = 'address' | 'no_answer' | 'late_answer' | 'large_answer' | 'status' | 'metadata' | 'keys' | 'pause'

/** The keys of an issuer are not available now. */
export class KeysUnavailable extends PosternError {
  /** For the operational log, never for a client. */
  readonly why: { cause: Cause; networkCode: string | null; status: number | null }

  constructor(cause: Cause, about: { networkCode?: string | null; status?: number; retryAfterMs?: number } = {}) {
    const { networkCode = null, status = null, retryAfterMs = FIRST_PAUSE_MS } = about
    const [code, message] = REFUSALS.issuer_unavailable
    super(code, message, {
      reason: 'issuer_unavailable',
      retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1000)),
    })
    this.why = { cause, networkCode, status }
  }
}

interface Flight {
  startedAt: number
  answer: Promise<KeySet>
}

/** The requests to one issuer. */
interface Asked {
  /** When requests began, in milliseconds since the Unix epoch. */
  starts: number[]
  flight: Flight | null
}

/**
 * The keys of issuers, cached for ten minutes.
 *
 * An unknown key id fetches the keys again. Sign-ins that are right apart from their signature wait for at most a few
 * seconds, with growing pauses between the requests; all others fetch at most once in 30 seconds. While the issuer is
 * unreachable, its last keys stay valid for a day.
 */
export class IssuerKeys {
  readonly #options: SendOptions
  readonly #shared: boolean
  readonly #pause: (ms: number) => Promise<void>
  readonly #cached = new LRUCache<string, KeySet>({ max: 100 })
  readonly #asked = new LRUCache<string, Asked>({ max: 100 })

  /**
   * @param options.shared Whether requests may wait for each other's answer: not on Workers.
   * @param options.pause Waits for this many milliseconds.
   */
  constructor({
    shared = true,
    pause = sleep,
    ...options
  }: SendOptions & { shared?: boolean; pause?: (ms: number) => Promise<void> } = {}) {
    this.#shared = shared
    this.#pause = pause
    this.#options = { timeoutMs: FETCH_TIMEOUT_MS, maxBytes: MAX_BYTES, ...options }
  }

  /**
   * Returns the keys of an issuer: those in its trust, or the last ones fetched while they are fresh.
   *
   * @throws {KeysUnavailable}
   */
  async find(issuer: Issuer, wanted: KeyRequest): Promise<KeySet> {
    if (issuer.jwks !== undefined) return { keys: usableKeys(issuer.jwks.keys), fetchedAt: wanted.now }
    const known = this.#cached.get(idOf(issuer))
    if (known && Math.abs(wanted.now - known.fetchedAt) < FRESH_MS) return known
    try {
      return await this.#fetchOnce(issuer, wanted)
    } catch (error) {
      if (known && wanted.now - known.fetchedAt < MAX_STALE_MS) return known
      throw error
    }
  }

  /**
   * Returns keys that are newer than the given ones, which have no key for a token. `null` if there are none, or if the
   * token does not justify another request.
   *
   * @throws {KeysUnavailable} if there may be newer ones.
   */
  async findNewer(issuer: Issuer, than: KeySet, wanted: KeyRequest): Promise<KeySet | null> {
    if (issuer.jwks !== undefined) return null
    const known = this.#cached.get(idOf(issuer))
    if (known && known !== than) return known
    try {
      return await this.#fetchOnce(issuer, wanted)
    } catch (error) {
      if (wanted.urgent) throw error
      return null
    }
  }

  /** Fetches once for all concurrent callers, and not again before the pause is over. */
  async #fetchOnce(issuer: Issuer, { now, urgent }: KeyRequest): Promise<KeySet> {
    const asked = this.#askedOf(idOf(issuer))
    const { flight } = asked
    if (flight !== null && Math.abs(now - flight.startedAt) < ABANDONED_MS) {
      return this.#shared ? flight.answer : this.#awaitCached(issuer, asked)
    }
    asked.starts = asked.starts.filter((start) => Math.abs(now - start) < WINDOW_MS)
    const waitMs = waitAfter(asked.starts, { now, urgent })
    if (waitMs > (urgent ? MAX_WAIT_MS : 0)) throw new KeysUnavailable('pause', { retryAfterMs: waitMs })
    return this.#depart(issuer, asked, now, waitMs)
  }

  #depart(issuer: Issuer, asked: Asked, now: number, waitMs: number): Promise<KeySet> {
    const id = idOf(issuer)
    asked.starts.push(now + waitMs)
    const answer = (waitMs > 0 ? this.#pause(waitMs) : Promise.resolve())
      .then(() => this.#fetch(issuer, now + waitMs))
      .then((set) => {
        this.#cached.set(id, set)
        return set
      })
      .finally(() => {
        if (asked.flight === flight) asked.flight = null
      })
    const flight: Flight = { startedAt: now, answer }
    asked.flight = flight
    answer.catch(() => {})
    return answer
  }

  /**
   * Waits until another request has fetched the keys. It looks at the cache, because on Workers a request must not wait
   * for the promise of another.
   */
  async #awaitCached(issuer: Issuer, asked: Asked): Promise<KeySet> {
    const { flight } = asked
    const before = this.#cached.get(idOf(issuer))
    for (let waitedMs = 0; waitedMs < ABANDONED_MS; waitedMs += POLL_MS) {
      await this.#pause(POLL_MS)
      const cached = this.#cached.get(idOf(issuer))
      if (cached && cached !== before) return cached
      if (asked.flight !== flight) break
    }
    throw new KeysUnavailable('pause')
  }

  #askedOf(id: string): Asked {
    const asked = this.#asked.get(id) ?? { starts: [], flight: null }
    this.#asked.set(id, asked)
    return asked
  }

  async #fetch(issuer: Issuer, now: number): Promise<KeySet> {
    const jwksUri = issuer.jwksUri ?? (await this.#discover(issuer.issuer))
    const { keys } = Object(await this.#json(jwksUri)) as { keys?: unknown }
    if (!Array.isArray(keys) || keys.length > MAX_KEYS) throw new KeysUnavailable('keys')
    return { keys: usableKeys(keys), fetchedAt: now }
  }

  /** OpenID Connect Discovery 1.0 section 4: the metadata must name the very issuer it was found by. */
  async #discover(issuer: string): Promise<string> {
    const found = Object(await this.#json(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`))
    const { issuer: named, jwks_uri: jwksUri } = found as Record<string, unknown>
    if (named !== issuer || typeof jwksUri !== 'string') throw new KeysUnavailable('metadata')
    return jwksUri
  }

  /** A failure of the issuer is not an error of the client. */
  async #json(url: string): Promise<unknown> {
    const { status, body } = await send(url, { headers: { Accept: 'application/json' } }, this.#options).catch(
      (error: unknown) => {
        throw unavailable(error)
      },
    )
    if (status !== 200) throw new KeysUnavailable('status', { status })
    try {
      return parseJson(body, { maxStrings: MAX_STRINGS })
    } catch {
      throw new KeysUnavailable('keys')
    }
  }
}

function unavailable(error: unknown): KeysUnavailable {
  if (!(error instanceof NoAnswer)) return new KeysUnavailable('address')
  const { reason } = error.detail
  const cause = reason === 'late_answer' || reason === 'large_answer' ? reason : 'no_answer'
  return new KeysUnavailable(cause, { networkCode: error.networkCode })
}

function idOf({ issuer, jwksUri }: Issuer): string {
  return `${issuer} ${jwksUri ?? ''}`
}

/** How long the next request must wait, in milliseconds: 1, 2, 4 … 30 seconds after the last one, or 30 at once. */
function waitAfter(starts: readonly number[], { now, urgent }: KeyRequest): number {
  if (starts.length === 0) return 0
  const pauseMs = urgent ? Math.min(FIRST_PAUSE_MS * 2 ** (starts.length - 1), MAX_PAUSE_MS) : MAX_PAUSE_MS
  // A clock that was set back must not make a longer pause.
  return Math.min(pauseMs, Math.max(0, Math.max(...starts) + pauseMs - now))
}
