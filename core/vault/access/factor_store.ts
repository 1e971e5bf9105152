/**
 * The rows of second factors, recovery codes and marks that count once.
 *
 * @module
 */
import type { Time } from '../clock.ts'
import { Erasures } from '../erasures.ts'
import type { Sql } from '../sql.ts'
import { OWN_ROOT } from './principal_store.ts'

/** A TOTP secret as the vault keeps it: sealed. */
export interface SealedTotp {
  /** Distinguishes this secret from every other of the principal, before or after. */
  id: string
  kid: string
  sealed: Uint8Array<ArrayBuffer>
}

/** The stored hash of a recovery code, under one root key; the vault's own root key by default. */
export interface RecoveryHashes {
  recoveryHashes: readonly string[]
  root?: string | null
}

/** Longer than any proof is good for. */
const FORGET_AFTER_MS = 15 * 60_000
/** Two readings of the clock, the earlier one first: see {@link FactorStore.useOnce}. */
const CLOCK_READ = 'used.clock'
/**
 * Bounds the marks that were deleted too early, while the clock was ahead: see {@link FactorStore.mayHaveForgotten}.
 */
const FORGOTTEN = 'used.forgotten'

/** Until when what expired was forgotten, and when the clock was set right, in milliseconds since the Unix epoch. */
interface Forgotten {
  until: number
  since: number
}

/** The rows of second factors, and of what may be used once. */
export class FactorStore {
  readonly #sql: Sql
  readonly #erasures: Erasures

  constructor(sql: Sql, erasures = new Erasures()) {
    this.#sql = sql
    this.#erasures = erasures
  }

  /** The secret that counts. */
  confirmed(principal: string): SealedTotp | null {
    return this.#totp(principal, 'confirmed_at IS NOT NULL')
  }

  /** The secret that waits to be confirmed. The one that counts does so until then. */
  pending(principal: string): SealedTotp | null {
    return this.#totp(principal, 'confirmed_at IS NULL')
  }

  /** Stores a new pending secret, in place of an earlier pending one. */
  putPending(principal: string, { id, kid, sealed }: SealedTotp, now: number): void {
    const query = 'DELETE FROM totp WHERE principal = ? AND confirmed_at IS NULL RETURNING id'
    this.#erasures.note(this.#sql.all(query, principal))
    this.#sql.all('INSERT INTO totp VALUES (?, ?, ?, ?, 0, ?, NULL)', principal, id, kid, sealed, now)
  }

  /**
   * Takes the code of a time step of one secret: each step once, and none before the last one taken.
   *
   * @param id The secret that the code was checked against. It may have been replaced since.
   * @returns Whether the code was taken.
   */
  takeStep(principal: string, id: string, step: number): boolean {
    const taken = this.#sql.all(
      'UPDATE totp SET last_step = ? WHERE principal = ? AND id = ? AND last_step < ? RETURNING id',
      ...[step, principal, id, step],
    )
    return taken.length === 1
  }

  /** Makes a secret count in place of the one before, and recovery codes in place of the old ones. */
  confirm(principal: string, id: string, { recoveryHashes, root = null }: RecoveryHashes, now: number): void {
    this.#erasures.note(this.#sql.all('DELETE FROM totp WHERE principal = ? AND id <> ? RETURNING id', principal, id))
    this.#sql.all('UPDATE totp SET confirmed_at = ? WHERE principal = ? AND id = ?', now, principal, id)
    this.#sql.all('DELETE FROM recovery_code WHERE principal = ?', principal)
    const query = `INSERT INTO recovery_code VALUES (?, ?, ${OWN_ROOT})`
    for (const hash of recoveryHashes) this.#sql.all(query, principal, hash, root)
  }

  /** Uses a recovery code up, by any of its hashes: it has one a root key. Returns whether there was one. */
  takeRecoveryCode(principal: string, hashes: readonly string[]): boolean {
    const query = 'DELETE FROM recovery_code WHERE principal = ? AND hash = ? RETURNING hash'
    return hashes.some((hash) => this.#sql.all(query, principal, hash).length === 1)
  }

  recoveryCodesLeft(principal: string): number {
    const query = 'SELECT COUNT(*) AS n FROM recovery_code WHERE principal = ?'
    return this.#sql.all<{ n: number }>(query, principal)[0]?.n ?? 0
  }

  /** Removes all second factors of a principal. */
  remove(principal: string): void {
    this.#erasures.note(this.#sql.all('DELETE FROM totp WHERE principal = ? RETURNING id', principal))
    this.#sql.all('DELETE FROM recovery_code WHERE principal = ?', principal)
  }

  /**
   * Uses something up that may be used once, such as a DPoP proof, by one request.
   *
   * @param by The request's id, or what else may use it again.
   * @param expiresAt When it would be refused anyway, and need not be remembered, by the clock.
   * @param clock What the clock shows, in milliseconds since the Unix epoch.
   * @returns Whether it was new, or this very request used it.
   */
  useOnce(id: string, by: string, expiresAt: number, clock: number): boolean {
    this.#forgetUsed(clock)
    const query = 'INSERT INTO used VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id'
    if (this.#sql.all(query, id, by, expiresAt).length === 1) return true
    return this.usedBy(id) === by
  }

  /**
   * Whether a mark may have been used and then deleted as expired while the clock was ahead, although it is valid again
   * now that the clock is correct. Marks made after the correction are not affected.
   *
   * @param times When the mark was made and when it expires, by the clock.
   * @param clock The reading of the clock, in milliseconds since the Unix epoch.
   */
  mayHaveForgotten({ madeAt, expiresAt }: { madeAt: number; expiresAt: number }, clock: number): boolean {
    this.#forgetUsed(clock)
    const { until, since } = this.#forgotten()
    return expiresAt < until && madeAt <= since
  }

  /** The request that used a mark; `null` when it is unused or deleted. */
  usedBy(id: string): string | null {
    return this.#sql.all<{ by: string }>('SELECT by FROM used WHERE id = ?', id)[0]?.by ?? null
  }

  /**
   * Marks something that is recorded once in a while, such as refusals that could be repeated to fill the log.
   *
   * @param until When the mark ends, by the time of the vault.
   * @returns Whether there was no mark.
   */
  mark(id: string, until: number, { clock, now }: Time): boolean {
    const query = `INSERT INTO used VALUES (?, '', ?) ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at
      WHERE used.expires_at <= ? RETURNING id`
    const isNew = this.#sql.all(query, id, until, now).length === 1
    if (isNew) this.#forgetUsed(clock)
    return isNew
  }

  /**
   * Deletes some expired marks, by the clock of a while ago: a clock that jumps ahead and is then corrected must not
   * delete marks of proofs that are still valid.
   */
  #forgetUsed(clock: number): void {
    const ended = 'SELECT id FROM used WHERE expires_at < ? ORDER BY expires_at LIMIT 10'
    this.#sql.all(`DELETE FROM used WHERE id IN (${ended})`, this.#earlier(clock))
  }

  /** A reading of the clock that is at least {@link FORGET_AFTER_MS} old, and from before it was set back. */
  #earlier(clock: number): number {
    const [row] = this.#sql.all<{ value: string }>('SELECT value FROM meta WHERE key = ?', CLOCK_READ)
    const [earlier = 0, read = clock] = row ? (JSON.parse(row.value) as number[]) : []
    if (clock < read && earlier > clock) this.#noteForgotten({ until: earlier, since: clock })
    const next =
      clock < read ? [Math.min(earlier, clock), clock] : clock - read >= FORGET_AFTER_MS ? [read, clock] : null
    if (next !== null || row === undefined)
      this.#sql.all('INSERT OR REPLACE INTO meta VALUES (?, ?)', CLOCK_READ, JSON.stringify(next ?? [earlier, read]))
    return next?.[0] ?? earlier
  }

  #forgotten(): Forgotten {
    const [row] = this.#sql.all<{ value: string }>('SELECT value FROM meta WHERE key = ?', FORGOTTEN)
    return row ? JSON.parse(row.value) : { until: Number.NEGATIVE_INFINITY, since: Number.NEGATIVE_INFINITY }
  }

  #noteForgotten({ until, since }: Forgotten): void {
    const before = this.#forgotten()
    const all: Forgotten = { until: Math.max(before.until, until), since: Math.max(before.since, since) }
    this.#sql.all('INSERT OR REPLACE INTO meta VALUES (?, ?)', FORGOTTEN, JSON.stringify(all))
  }

  #totp(principal: string, state: 'confirmed_at IS NULL' | 'confirmed_at IS NOT NULL'): SealedTotp | null {
    const query = `SELECT id, kid, sealed FROM totp WHERE principal = ? AND ${state}`
    return this.#sql.all<SealedTotp>(query, principal)[0] ?? null
  }
}
