/**
 * Lockout: limits the failed attempts of a principal, a source and a client.
 *
 * @module
 */
import { DAY_MS } from '../../durations.ts'
import type { Sql } from '../sql.ts'

/** How many failures lock, and for how long. */
export interface LockoutPolicy {
  maxFailedAttempts: number
  lockoutMs: number
}

/** One attempt to authenticate. */
export interface Attempt {
  /** The principal's id. */
  principal: string
  /** The network it comes from: see `sourceOf` in `core/addresses.ts`. */
  source: string
  /** The thumbprint of the key that the client proved to have. */
  jkt: string | null
}

/** The verdict on an attempt: it may be verified; it may, and locks if it fails; or it is refused. */
export type Reservation = 'open' | 'last' | 'locked'

/** A principal's lock, as an admin sees it. */
export interface Lock {
  principal: string
  source: string
  failures: number
  lastAt: number
  lockedUntil: number | null
}

interface Row {
  failures: number
  lastAt: number
  lockedUntil: number | null
  successAt: number | null
}

/** The row that counts a principal's failures over all sources. */
const EVERYWHERE = '*'
/** How long a source or key that succeeded once is known. */
const KNOWN_MS = 30 * DAY_MS
const MAX_DELAY_MS = 300_000

/**
 * Counts failed attempts and refuses more than the threshold.
 *
 * Three failures must not let a stranger lock out a principal (ASVS 6.1.1). So a lock is on the pair of principal and
 * source. A principal as a whole only slows down, and only for sources that never succeeded. A client with a known key
 * has a counter of its own.
 *
 * An attempt is counted before it is verified and uncounted when it succeeds: of any number of parallel attempts at
 * most the threshold are verified, and an attempt that is lost midway counts.
 */
export class Lockout {
  readonly #sql: Sql
  readonly #policy: LockoutPolicy

  constructor(sql: Sql, policy: LockoutPolicy) {
    this.#sql = sql
    this.#policy = policy
  }

  /** Reserves an attempt. Call inside `sql.atomic`. */
  begin({ principal, source, jkt }: Attempt, now: number): Reservation {
    const bucket = this.#bucket(principal, source, jkt, now)
    const own = this.#row(principal, bucket, now)
    if (own.lockedUntil !== null && own.lockedUntil > now) return 'locked'
    const everywhere = this.#row(principal, EVERYWHERE, now)
    const delayMs = isKnown(own, now) ? 0 : this.#delay(everywhere.failures)
    // Counts only a real delay: a clock that was set back must not create one.
    if (delayMs > 0 && now < everywhere.lastAt + delayMs) return 'locked'
    const failures = own.failures + 1
    const lockedUntil = failures >= this.#policy.maxFailedAttempts ? now + this.#policy.lockoutMs : null
    this.#put(principal, bucket, { ...own, failures, lastAt: Math.max(now, own.lastAt), lockedUntil })
    this.#put(principal, EVERYWHERE, { ...everywhere, failures: everywhere.failures + 1, lastAt: now })
    this.#forgetOld(now)
    return lockedUntil === null ? 'open' : 'last'
  }

  /** Whether no further attempt of this source or key would be verified now. */
  isLocked({ principal, source, jkt }: Attempt, now: number): boolean {
    const { lockedUntil } = this.#row(principal, this.#bucket(principal, source, jkt, now), now)
    return lockedUntil !== null && lockedUntil > now
  }

  /**
   * The lock that refuses an attempt now, and until when its refusals are one event, in milliseconds since the Unix
   * epoch.
   */
  lockOn({ principal, source, jkt }: Attempt, now: number): { id: string; until: number } {
    const bucket = this.#bucket(principal, source, jkt, now)
    const { lockedUntil } = this.#row(principal, bucket, now)
    if (lockedUntil !== null && lockedUntil > now) return { id: `${principal}/${bucket}`, until: lockedUntil }
    // The principal is slowed: one event, from however many sources.
    return { id: `${principal}/${EVERYWHERE}`, until: now + this.#everywhereMs }
  }

  /** Releases the reservation of an attempt that succeeded. */
  succeed({ principal, source, jkt }: Attempt, now: number): void {
    const bucket = this.#bucket(principal, source, jkt, now)
    const everywhere = this.#row(principal, EVERYWHERE, now)
    const clean = { failures: 0, lastAt: now, lockedUntil: null, successAt: now }
    this.#put(principal, bucket, clean)
    if (jkt !== null) this.#put(principal, keyBucket(jkt), clean)
    // Its own reservation only: what others did from elsewhere still slows them.
    this.#put(principal, EVERYWHERE, { ...everywhere, failures: Math.max(0, everywhere.failures - 1) })
  }

  /**
   * Releases the reservation of an attempt that neither succeeded nor was a guess, such as the same code sent twice. It
   * makes no source known.
   */
  release({ principal, source, jkt }: Attempt, now: number): void {
    for (const bucket of [this.#bucket(principal, source, jkt, now), EVERYWHERE]) {
      const row = this.#row(principal, bucket, now)
      const failures = Math.max(0, row.failures - 1)
      const lockedUntil = failures < this.#policy.maxFailedAttempts ? null : row.lockedUntil
      this.#put(principal, bucket, { ...row, failures, lockedUntil })
    }
  }

  /** Locks that hold now, and principals that are slowed. */
  locks(now: number): Lock[] {
    return this.#sql.all<Lock>(
      `SELECT principal, source, failures, last_at AS lastAt, locked_until AS lockedUntil FROM attempt
       WHERE locked_until > ? OR (source = ? AND failures >= ? AND last_at > ?) ORDER BY principal, source LIMIT 200`,
      ...[now, EVERYWHERE, this.#policy.maxFailedAttempts, now - this.#everywhereMs],
    )
  }

  /** How many principals are locked somewhere now. */
  locked(now: number): number {
    const query = 'SELECT COUNT(DISTINCT principal) AS count FROM attempt WHERE locked_until > ?'
    return this.#sql.all<{ count: number }>(query, now)[0]!.count
  }

  /** Clears the failures of a principal, from all sources. Its known keys stay. */
  unlock(principal: string): void {
    this.#sql.all('UPDATE attempt SET failures = 0, locked_until = NULL WHERE principal = ?', principal)
  }

  /** A client with a known key keeps its own counter, wherever it comes from. */
  #bucket(principal: string, source: string, jkt: string | null, now: number): string {
    return jkt !== null && isKnown(this.#row(principal, keyBucket(jkt), now), now) ? keyBucket(jkt) : source
  }

  /** None up to the threshold, then 1, 2, 4, … up to 300 seconds. */
  #delay(failures: number): number {
    const beyond = failures - this.#policy.maxFailedAttempts
    return beyond < 0 ? 0 : Math.min(1000 * 2 ** Math.min(beyond, 20), MAX_DELAY_MS)
  }

  #row(principal: string, source: string, now: number): Row {
    const [row] = this.#sql.all<Row>(
      `SELECT failures, last_at AS lastAt, locked_until AS lockedUntil, success_at AS successAt FROM attempt
       WHERE principal = ? AND source = ?`,
      ...[principal, source],
    )
    if (row === undefined) return { failures: 0, lastAt: 0, lockedUntil: null, successAt: null }
    const locked = row.lockedUntil !== null && row.lockedUntil > now
    const quietMs = source === EVERYWHERE ? this.#everywhereMs : this.#policy.lockoutMs
    return locked || row.lastAt > now - quietMs ? row : { ...row, failures: 0, lockedUntil: null }
  }

  /**
   * Failures of one source count until none came for as long as a lock lasts; all together for longer
   * than any delay, or a short lock would let many sources try without one.
   */
  get #everywhereMs(): number {
    return Math.max(this.#policy.lockoutMs, 4 * MAX_DELAY_MS)
  }

  #put(principal: string, source: string, { failures, lastAt, lockedUntil, successAt }: Row): void {
    this.#sql.all(
      `INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET failures = excluded.failures,
       last_at = excluded.last_at, locked_until = excluded.locked_until, success_at = excluded.success_at`,
      ...[principal, source, failures, lastAt, lockedUntil, successAt],
    )
  }

  /** An attacker with many addresses must not fill the table. What still counts stays. */
  #forgetOld(now: number): void {
    this.#sql.all(
      `DELETE FROM attempt WHERE (principal, source) IN
       (SELECT principal, source FROM attempt WHERE last_at < ? AND COALESCE(success_at, 0) < ? ORDER BY last_at LIMIT 10)`,
      ...[now - this.#everywhereMs, now - KNOWN_MS],
    )
  }
}

function isKnown({ successAt }: Row, now: number): boolean {
  return successAt !== null && successAt > now - KNOWN_MS
}

function keyBucket(jkt: string): string {
  return `key:${jkt}`
}
