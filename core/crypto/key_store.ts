import { type Bytes, concat } from '../bytes.ts'
import type { Sql, SqlValue } from '../sql.ts'

/** A term of a vault's key. */
export interface Term {
  number: number
  startedAt: number
  /** Who began it; `null`: the vault itself. */
  startedBy: string | null
  /** How many sealed values were moved to it, and how many could not be. */
  moved: number
  failed: number
  /** Since when nothing is sealed under an older one; `null` while that goes on. */
  doneAt: number | null
}

/** A sealed value that an older term's key wraps: where it is, and the head of its envelope. */
export interface Stale {
  /** Its row. */
  at: number
  kid: string
  head: Bytes
}

/** How far a move has come: which table, and behind which row. */
export interface Place {
  stage: number
  cursor: number
}

const COLUMNS = 'number, started_at AS startedAt, started_by AS startedBy, moved, failed, done_at AS doneAt'
const KID = /^[0-9a-f]{16}\.([1-9][0-9]{0,8})$/
/** Every table with something sealed, in the order in which they are moved, row by row. */
const TABLES = ['version', 'totp', 'hook'] as const

/** The rows of a vault's terms, and of what is sealed under them. It knows no keys: only which one is the newest. */
export class KeyStore {
  readonly #sql: Sql
  // Asked at each write. Safe to keep: nobody else writes to this store.
  #term: number | null = null

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Forgets what is kept in memory. To be called when a transaction was rolled back. */
  forget(): void {
    this.#term = null
  }

  /** The term that values are sealed under now. */
  term(): number {
    this.#term ??= this.#sql.all<{ term: number }>('SELECT MAX(number) AS term FROM term')[0]!.term
    return this.#term
  }

  /** Whether a key id is of the term that holds now: what was sealed just before is sealed again. */
  isCurrent(kid: string): boolean {
    const term = KID.exec(kid)?.[1]
    return term === undefined || Number(term) === this.term()
  }

  /** Terms, the newest first. */
  terms(): Term[] {
    return this.#sql.all<Term>(`SELECT ${COLUMNS} FROM term ORDER BY number DESC LIMIT 100`)
  }

  /** Begins the next term. */
  start(by: string | null, now: number): Term {
    this.#sql.all('INSERT INTO term VALUES (?, ?, ?, 0, 0, 0, 0, NULL)', this.term() + 1, now, by)
    this.forget()
    return this.terms()[0]!
  }

  /** Whether a move to the newest term is under way: begun, and not yet through all rows. */
  isMoving(): boolean {
    const place = this.place()
    return place !== null && place.stage + place.cursor > 0
  }

  /** How far the move to the newest term has come; `null` when it is done. */
  place(): Place | null {
    const query = 'SELECT stage, cursor FROM term WHERE number = ? AND done_at IS NULL'
    return this.#sql.all<Place>(query, this.term())[0] ?? null
  }

  /**
   * Of the next `span` rows from a place on, those that are not of the newest term.
   *
   * @param headSize The longest head of an envelope.
   * @returns With the place behind them; `null` when there is nothing behind.
   */
  stale({ stage, cursor }: Place, span: number, headSize: number): { items: Stale[]; next: Place | null } {
    const table = TABLES[stage]!
    const query = `SELECT rowid AS "at", kid, substr(sealed, 1, ?) AS head FROM ${table}
      WHERE rowid > ? AND rowid <= ? AND sealed IS NOT NULL AND kid NOT LIKE '%.' || ? ORDER BY rowid`
    const items = this.#sql.all<Stale>(query, headSize, cursor, cursor + span, String(this.term()))
    const more = this.#sql.all(`SELECT 1 FROM ${table} WHERE rowid > ? LIMIT 1`, cursor + span).length > 0
    if (more) return { items, next: { stage, cursor: cursor + span } }
    return { items, next: stage + 1 < TABLES.length ? { stage: stage + 1, cursor: 0 } : null }
  }

  /** Puts another head on an envelope, if it is still the one that was read. @returns Whether it did. */
  replaceHead(stage: number, { at, kid, head }: Stale, { kid: newKid, head: newHead }: Omit<Stale, 'at'>): boolean {
    const table = TABLES[stage]!
    const query = `SELECT sealed FROM ${table} WHERE rowid = ? AND kid = ? AND sealed IS NOT NULL`
    const [row] = this.#sql.all<{ sealed: Bytes }>(query, at, kid)
    if (row === undefined) return false
    const sealed = concat(newHead, row.sealed.subarray(head.length))
    this.#sql.all(`UPDATE ${table} SET kid = ?, sealed = ? WHERE rowid = ?`, newKid, sealed, at)
    return true
  }

  /** Notes how far the move has come; `null`: to the end. What failed is looked at again in another round. */
  moveOn(next: Place | null, { moved, failed }: { moved: number; failed: number }, now: number): void {
    const place: SqlValue[] = next === null ? [0, 0] : [next.stage, next.cursor]
    this.#sql.all(
      'UPDATE term SET stage = ?, cursor = ?, moved = moved + ?, failed = failed + ? WHERE number = ?',
      ...[...place, moved, failed, this.term()],
    )
    if (next !== null) return
    this.#sql.all('UPDATE term SET done_at = ? WHERE number = ? AND failed = 0', now, this.term())
  }

  /** Begins another round for what failed in the last one. */
  again(): void {
    this.#sql.all('UPDATE term SET failed = 0 WHERE number = ?', this.term())
  }
}
