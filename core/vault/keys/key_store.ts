/**
 * The rows of the terms of a vault's key, and the move of envelopes to the newest term.
 *
 * @module
 */
import { type Bytes, concat, equal } from '../../bytes.ts'
import { CACHE, keyId } from '../../crypto/key_id.ts'
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
  /** Since when no value is sealed under an older term; `null` while the move is running. */
  doneAt: number | null
  /** The root key that it derives from; `null` before the vault was tied to one. */
  root: string | null
}

/** Which key to seal under. */
export type Under = Pick<Term, 'root'> & { term: number }

/** A sealed value that an older term's key wraps: where it is, and the head of its envelope. */
export interface Stale {
  /** Its row. */
  at: number
  kid: string
  head: Bytes
}

/** A row that could not be moved, named for the operator: of a secret, a principal or a webhook. */
export interface Unmoved {
  kind: 'version' | 'factor' | 'hook'
  name: string
  version: number | null
}

/** How far a move has come: which table, and behind which row. */
export interface RekeyCursor {
  stage: number
  cursor: number
}

const COLUMNS = 'number, started_at AS startedAt, started_by AS startedBy, moved, failed, done_at AS doneAt, root'
const KID = /^([0-9a-f]{16})\.([1-9][0-9]{0,8})$/
/** Every table with something sealed, in the order in which they are moved, row by row. */
const TABLES = ['version', 'totp', 'hook', 'cached'] as const
/** The last one has a key of its own, without terms: only another root key moves it. */
const CACHED = TABLES.indexOf('cached')

/** The rows of a vault's terms, and of what is sealed under them. It knows no keys: only which one is the newest. */
export class KeyStore {
  readonly #sql: Sql
  // The newest term, read at each write. A cache is safe: no other code writes these rows.
  #under: Under | null = null

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Forgets what is kept in memory. To be called when a transaction was rolled back. */
  forget(): void {
    this.#under = null
  }

  /** What values are sealed under now. */
  under(): Under {
    this.#under ??= this.#sql.all<Under>('SELECT number AS term, root FROM term ORDER BY number DESC LIMIT 1')[0]!
    return this.#under
  }

  /** The term that values are sealed under now. */
  term(): number {
    return this.under().term
  }

  /** Whether a key id is of the current term. A value sealed just before a new term is sealed again. */
  isCurrent(kid: string): boolean {
    const [, root, number] = KID.exec(kid) ?? []
    const { term, root: own } = this.under()
    return number === undefined || (Number(number) === term && (own === null || root === own))
  }

  /** Terms, the newest first. */
  terms(): Term[] {
    return this.#sql.all<Term>(`SELECT ${COLUMNS} FROM term ORDER BY number DESC LIMIT 100`)
  }

  /**
   * Begins the next term.
   *
   * @param root The root key that it derives from, when that is another from here on.
   */
  start(by: string | null, now: number, root = this.under().root): Term {
    const row = [this.term() + 1, now, by, root]
    const columns = 'number, started_at, started_by, stage, cursor, moved, failed, done_at, root'
    this.#sql.all(`INSERT INTO term (${columns}) VALUES (?, ?, ?, 0, 0, 0, 0, NULL, ?)`, ...row)
    this.forget()
    return this.terms()[0]!
  }

  /** Whether a move to the newest term is under way: begun, and not yet through all rows. */
  isMoving(): boolean {
    const place = this.place()
    return place !== null && place.stage + place.cursor > 0
  }

  /** How far the move to the newest term has come; `null` when it is done. */
  place(): RekeyCursor | null {
    const query = 'SELECT stage, cursor FROM term WHERE number = ? AND done_at IS NULL'
    return this.#sql.all<RekeyCursor>(query, this.term())[0] ?? null
  }

  /** An upper bound for the rows that the move to the newest term still has to read: some may be deleted. */
  left(): number {
    const place = this.place()
    if (place === null) return 0
    const last = TABLES.slice(place.stage).map((table) => `COALESCE((SELECT MAX(rowid) FROM ${table}), 0)`)
    const [row] = this.#sql.all<{ rows: number }>(`SELECT ${last.join(' + ')} AS rows`)
    return Math.max(0, row!.rows - place.cursor)
  }

  /** The id of the key that a table is moved to; `null` before the vault was tied to a root key. */
  target(stage: number): string | null {
    const { root, term } = this.under()
    return root === null ? null : keyId(root, stage === CACHED ? CACHE : term)
  }

  /**
   * How many rows a move has still to look at, by their numbers and so at most, and how many it could not move. Costs the
   * same however many there are.
   */
  remaining(): number {
    const place = this.place()
    if (place === null) return 0
    const { moved, failed } = this.terms()[0]!
    const isBetweenRounds = place.stage + place.cursor === 0 && moved + failed > 0
    return failed + (isBetweenRounds ? 0 : this.left())
  }

  /**
   * Finds, among the next `span` rows, those that are not under the key of the move.
   *
   * @param headSize The longest head of an envelope, in bytes.
   * @returns The rows and the cursor behind them; `null` at the end.
   */
  stale({ stage, cursor }: RekeyCursor, span: number, headSize: number): { items: Stale[]; next: RekeyCursor | null } {
    const table = TABLES[stage]!
    const query = `SELECT rowid AS "at", kid, substr(sealed, 1, ?) AS head FROM ${table}
      WHERE rowid > ? AND rowid <= ? AND sealed IS NOT NULL AND kid <> ? ORDER BY rowid`
    const items = this.#sql.all<Stale>(query, headSize, cursor, cursor + span, this.target(stage))
    const more = this.#sql.all(`SELECT 1 FROM ${table} WHERE rowid > ? LIMIT 1`, cursor + span).length > 0
    if (more) return { items, next: { stage, cursor: cursor + span } }
    return { items, next: stage + 1 < TABLES.length ? { stage: stage + 1, cursor: 0 } : null }
  }

  /** Puts another head on an envelope, if it is still the one that was read. @returns Whether it did. */
  replaceHead(stage: number, { at, kid, head }: Stale, { kid: newKid, head: newHead }: Omit<Stale, 'at'>): boolean {
    const table = TABLES[stage]!
    const query = `SELECT sealed FROM ${table} WHERE rowid = ? AND kid = ? AND sealed IS NOT NULL`
    const [row] = this.#sql.all<{ sealed: Bytes }>(query, at, kid)
    // The row holds another value by now, or a value that was put in its place.
    if (row === undefined || !equal(row.sealed.subarray(0, head.length), head)) return false
    const sealed = concat(newHead, row.sealed.subarray(head.length))
    this.#sql.all(`UPDATE ${table} SET kid = ?, sealed = ? WHERE rowid = ?`, newKid, sealed, at)
    return true
  }

  /** Stores the progress of a move; `null` ends it. Failed rows are read again in another round. */
  moveOn(next: RekeyCursor | null, { moved, failed }: { moved: number; failed: number }, now: number): void {
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
    this.#sql.all('DELETE FROM unmoved')
  }

  /**
   * Stores that a row could not be moved. A cached value is dropped instead: that loses nothing.
   *
   * @returns Whether the row keeps its older key in use.
   */
  fail(stage: number, { at, kid }: Stale): boolean {
    if (stage === CACHED) {
      this.#sql.all('DELETE FROM cached WHERE rowid = ? AND kid = ?', at, kid)
      return false
    }
    this.#sql.all('INSERT OR IGNORE INTO unmoved VALUES (?, ?)', stage, at)
    return true
  }

  /** What the last round could not move, at most `limit` of each kind. */
  unmoved(limit: number): Unmoved[] {
    const of = (stage: number, columns: string, joined = '') =>
      this.#sql.all<Unmoved>(
        `SELECT ${columns} FROM unmoved JOIN ${TABLES[stage]} AS it ON it.rowid = unmoved.at ${joined}
         WHERE unmoved.stage = ? AND it.sealed IS NOT NULL ORDER BY unmoved.at LIMIT ?`,
        ...[stage, limit],
      )
    return [
      ...of(0, "'version' AS kind, name, it.number AS version", 'JOIN secret ON secret.id = it.secret'),
      ...of(1, "'factor' AS kind, it.principal AS name, NULL AS version"),
      ...of(2, "'hook' AS kind, it.id AS name, NULL AS version"),
    ]
  }
}
