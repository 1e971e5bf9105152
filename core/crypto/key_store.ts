import type { Sql } from '../sql.ts'

/** A term of a vault's key. */
export interface Term {
  number: number
  startedAt: number
  /** Who began it; `null`: the vault itself. */
  startedBy: string | null
  /** How many sealed values were moved to it. */
  moved: number
  /** Since when nothing is sealed under an older one; `null` while that goes on. */
  doneAt: number | null
}

const COLUMNS = 'number, started_at AS startedAt, started_by AS startedBy, moved, done_at AS doneAt'
const KID = /^[0-9a-f]{16}\.([1-9][0-9]{0,8})$/

/** The rows of a vault's terms. It knows no keys: only which one is the newest. */
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
}
