/**
 * SQLite on Bun, Deno and Node.
 *
 * @module
 */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Sql, SqlValue } from '../../core/vault/sql.ts'
import { LiveCopy } from './live_copy.ts'
import { type OpenFiles, rememberFiles } from './open_files.ts'

/** A SQLite database that one process owns. */
export interface Sqlite extends Sql {
  /** Copies the database as it is now to a new file, while it is written: see {@link LiveCopy}. */
  copyTo(path: string): Promise<void>
  /** Whether its files are where they were opened. */
  isIntact(): boolean
  /** Closes it. Files that vanished stay open until the process ends: SQLite would remove what has their names by now. */
  close(): void
}

/**
 * Opens a SQLite file, or `:memory:`.
 *
 * The file belongs to this process alone until it is closed: caches over it stay true, and a second process cannot fork a
 * log. A commit is on the disk when `atomic` returns.
 *
 * @throws an error of the platform when the file is locked or is not a database.
 */
export function openSqlite(path: string): Sqlite {
  // Made before SQLite makes it: for its owner only. Its journal takes the same mode.
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600))
  const db = new DatabaseSync(path)
  try {
    configure(db)
    // The journal exists by now, and stays the same file until the database is closed.
    return new Database(db, path, path === ':memory:' ? rememberFiles() : rememberFiles(path, `${path}-wal`))
  } catch (error) {
    db.close()
    throw error
  }
}

function configure(db: DatabaseSync): void {
  // FULL, with WAL, syncs the log at every commit. Erased values are overwritten in the file.
  db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  // 16 MiB of journal before it is copied into the file, at one go: rarely, rather than in every hundredth answer.
  db.exec('PRAGMA wal_autocheckpoint = 4096')
  db.exec('PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF')
  // A page that someone made by hand is refused when it is read, rather than misread.
  db.exec('PRAGMA cell_size_check = ON')
  // Takes the lock.
  db.exec('BEGIN IMMEDIATE; COMMIT')
}

class Database implements Sqlite {
  readonly #db: DatabaseSync
  readonly #files: OpenFiles
  readonly #liveCopy: LiveCopy
  readonly #statements = new Map<string, StatementSync>()

  constructor(db: DatabaseSync, path: string, files: OpenFiles) {
    this.#db = db
    this.#files = files
    this.#liveCopy = new LiveCopy(db, path)
  }

  all<Row>(query: string, ...params: SqlValue[]): Row[] {
    return this.#prepare(query).all(...params) as Row[]
  }

  atomic<T>(fn: () => T): T {
    this.#prepare('BEGIN IMMEDIATE').run()
    try {
      const result = fn()
      this.#files.check()
      this.#prepare('COMMIT').run()
      return result
    } catch (error) {
      // A full disk or an I/O error may have rolled back already; then this fails, and says nothing new.
      try {
        this.#prepare('ROLLBACK').run()
      } catch {}
      throw error
    }
  }

  /** The write-ahead log holds the pages as they were: it is copied into the file and cut to nothing. */
  scrub(): void {
    this.#liveCopy.scrub()
  }

  copyTo(path: string): Promise<void> {
    return this.#liveCopy.copyTo(path)
  }

  isIntact(): boolean {
    return this.#files.isIntact()
  }

  close(): void {
    if (!this.#files.isIntact()) return
    this.#liveCopy.closing()
    this.#db.close()
    this.#liveCopy.closed()
  }

  #prepare(query: string): StatementSync {
    let statement = this.#statements.get(query)
    if (statement === undefined) {
      statement = this.#db.prepare(query)
      this.#statements.set(query, statement)
    }
    return statement
  }
}
