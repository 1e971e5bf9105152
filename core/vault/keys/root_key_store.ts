/**
 * The rows of root keys: which one each term, token and session was made under.
 *
 * @module
 */
import type { Sql } from '../sql.ts'

/** A root key that a vault was under, by its id. */
export interface RootRow {
  id: string
  /** When it became the vault's own. */
  since: number
}

/** The tables that hold envelopes under a root key, and those whose rows only it can check. */
export interface RootUse {
  /** Versions of secrets, second factors and signing secrets of hooks. */
  versions: number
  factors: number
  hooks: number
}

/** Who comes with something that was made under a root key: it ends when the key goes. */
export interface RootBearers {
  /** API tokens that are good, and how many principals have them. */
  tokens: number
  principals: number
  sessions: number
  /** Principals with recovery codes. */
  recoveryCodes: number
}

/** Root keys that were former ones when the vault came into being: none of them may become its own. */
const EARLIER = 'elder_roots'

/** Which root keys a vault is and was under. It knows their ids, and no key. */
export class RootKeyStore {
  readonly #sql: Sql
  #given: ReadonlySet<string> | null = null

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Stores which root keys the server has. */
  give(ids: readonly string[]): void {
    this.#given = new Set(ids)
  }

  /**
   * Whether the server has a root key: without it no row made under it is valid. All root keys count as present until
   * the server lists its own.
   */
  isGiven(id: string | null): boolean {
    return this.#given === null || this.#given.has(id ?? this.current() ?? '')
  }

  /** Ties a vault to its first root key, unless that was done. */
  tie(root: string, earlierRootKeys: readonly string[]): void {
    const tied = this.#sql.all('UPDATE term SET root = ? WHERE root IS NULL RETURNING number', root)
    if (tied.length > 0)
      this.#sql.all('INSERT OR REPLACE INTO meta VALUES (?, ?)', EARLIER, JSON.stringify(earlierRootKeys))
  }

  /** The vault's own; `null` before it was tied to any. */
  current(): string | null {
    return this.#sql.all<{ root: string | null }>('SELECT root FROM term ORDER BY number DESC LIMIT 1')[0]?.root ?? null
  }

  /** The one that it began with. */
  first(): string | null {
    return this.#sql.all<{ root: string | null }>('SELECT root FROM term ORDER BY number LIMIT 1')[0]?.root ?? null
  }

  /** All that it was ever under, the newest first. */
  all(): RootRow[] {
    return this.#sql.all<RootRow>(
      'SELECT root AS id, MIN(started_at) AS since FROM term WHERE root IS NOT NULL GROUP BY root ORDER BY MAX(number) DESC',
    )
  }

  /** The root keys that were former ones before the vault existed. */
  earlierRootKeys(): string[] {
    const [row] = this.#sql.all<{ value: string }>('SELECT value FROM meta WHERE key = ?', EARLIER)
    return JSON.parse(row?.value ?? '[]')
  }

  /**
   * Those that something may be sealed under: of the last term that everything had moved to, and of all since. With
   * that whose key signs the log, until another has taken its place.
   */
  needed(): string[] {
    return this.#sql
      .all<{ root: string }>(
        `SELECT root FROM term WHERE root IS NOT NULL
           AND number >= (SELECT COALESCE(MAX(number), 0) FROM term WHERE done_at IS NOT NULL)
         UNION SELECT ${SIGNING} WHERE ${SIGNING} IS NOT NULL`,
      )
      .map(({ root }) => root)
  }

  /** The one that the key which signs the log derives from. */
  signing(): string | null {
    return this.#sql.all<{ root: string | null }>(`SELECT ${SIGNING} AS root`)[0]!.root
  }

  /** Counts what is sealed under a root key. It looks at every row. */
  use(root: string): RootUse {
    const [from, to] = [`${root}.`, `${root}/`]
    const count = (table: string) => `(SELECT COUNT(*) FROM ${table} WHERE sealed IS NOT NULL AND kid > ? AND kid < ?)`
    const query = `SELECT ${count('version')} AS versions, ${count('totp')} AS factors, ${count('hook')} AS hooks`
    return this.#sql.all<RootUse>(query, from, to, from, to, from, to)[0]!
  }

  /** Counts who has something good that was made under a root key. */
  bearers(root: string, idleMs: number, now: number): RootBearers {
    const tokens = `FROM token JOIN principal ON principal.id = token.principal
      WHERE root = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) AND disabled_at IS NULL`
    return this.#sql.all<RootBearers>(
      `SELECT (SELECT COUNT(*) ${tokens}) AS tokens,
         (SELECT COUNT(DISTINCT token.principal) ${tokens}) AS principals,
         (SELECT COUNT(*) FROM session WHERE root = ? AND revoked_at IS NULL AND expires_at > ? AND seen_at > ?) AS sessions,
         (SELECT COUNT(DISTINCT principal) FROM recovery_code WHERE root = ?) AS recoveryCodes`,
      ...[root, now, root, now, root, now, now - idleMs, root],
    )[0]!
  }
}

/** Before the log's key was ever changed there is no row of it: it is of the first root key then. */
const SIGNING = `COALESCE((SELECT root FROM log_key ORDER BY term DESC LIMIT 1),
  (SELECT root FROM term ORDER BY number LIMIT 1))`
