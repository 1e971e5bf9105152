import type { Sql } from '../sql.ts'

/** A TOTP secret as the vault keeps it: sealed. */
export interface SealedTotp {
  kid: string
  sealed: Uint8Array<ArrayBuffer>
  confirmedAt: number | null
}

/** The rows of second factors, and of what may be used once. */
export class FactorStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  totp(principal: string): SealedTotp | null {
    const [row] = this.#sql.all<SealedTotp>(
      'SELECT kid, sealed, confirmed_at AS confirmedAt FROM totp WHERE principal = ?',
      principal,
    )
    return row ?? null
  }

  /** Puts a TOTP secret that is still to be confirmed in place of any other. */
  putTotp(principal: string, { kid, sealed }: Omit<SealedTotp, 'confirmedAt'>, now: number): void {
    this.#sql.all('INSERT OR REPLACE INTO totp VALUES (?, ?, ?, 0, ?, NULL)', principal, kid, sealed, now)
  }

  /**
   * Takes the code of a time step: each step once, and none before the last that was taken.
   *
   * @returns Whether it was taken.
   */
  takeStep(principal: string, step: number): boolean {
    const taken = this.#sql.all(
      'UPDATE totp SET last_step = ? WHERE principal = ? AND last_step < ? RETURNING principal',
      ...[step, principal, step],
    )
    return taken.length === 1
  }

  /** Makes a TOTP secret count, and puts recovery codes in place of the old ones. */
  confirm(principal: string, recoveryHashes: readonly string[], now: number): void {
    this.#sql.all('UPDATE totp SET confirmed_at = ? WHERE principal = ?', now, principal)
    this.#sql.all('DELETE FROM recovery_code WHERE principal = ?', principal)
    for (const hash of recoveryHashes) this.#sql.all('INSERT INTO recovery_code VALUES (?, ?)', principal, hash)
  }

  /** Uses a recovery code up. Returns whether there was one. */
  takeRecoveryCode(principal: string, hash: string): boolean {
    const query = 'DELETE FROM recovery_code WHERE principal = ? AND hash = ? RETURNING hash'
    return this.#sql.all(query, principal, hash).length === 1
  }

  recoveryCodesLeft(principal: string): number {
    const query = 'SELECT COUNT(*) AS n FROM recovery_code WHERE principal = ?'
    return this.#sql.all<{ n: number }>(query, principal)[0]?.n ?? 0
  }

  /** Removes all second factors of a principal. */
  remove(principal: string): void {
    this.#sql.all('DELETE FROM totp WHERE principal = ?', principal)
    this.#sql.all('DELETE FROM recovery_code WHERE principal = ?', principal)
  }

  /**
   * Uses something up that may be used once, such as a DPoP proof, by one request.
   *
   * @param by The request's id. The same request may ask again.
   * @param expiresAt When it would be refused anyway, and need not be remembered.
   * @returns Whether it was new, or this very request used it.
   */
  useOnce(id: string, by: string, expiresAt: number, now: number): boolean {
    this.#sql.all(
      'DELETE FROM used WHERE id IN (SELECT id FROM used WHERE expires_at < ? ORDER BY expires_at LIMIT 10)',
      now,
    )
    const query = 'INSERT INTO used VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id'
    if (this.#sql.all(query, id, by, expiresAt).length === 1) return true
    return this.#sql.all<{ by: string }>('SELECT by FROM used WHERE id = ?', id)[0]?.by === by
  }
}
