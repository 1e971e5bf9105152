import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Sql, SqlValue } from '../core/sql.ts'

/** A SQLite database that one process owns. */
export interface Sqlite extends Sql {
  close(): void
}

/**
 * Opens a SQLite file, or `:memory:`, on Bun, Deno or Node.
 *
 * The file belongs to this process alone until it is closed: caches over it stay true, and a second
 * process cannot fork a log. A commit is on the disk when `atomic` returns.
 *
 * @throws an error of the platform when the file is locked or is no database.
 */
export function openSqlite(path: string): Sqlite {
  const db = new DatabaseSync(path)
  try {
    // FULL, with WAL, syncs the log at every commit. Erased values leave no copy in free pages.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    db.exec('PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF')
    db.exec('BEGIN IMMEDIATE; COMMIT')
  } catch (error) {
    db.close()
    throw error
  }
  const statements = new Map<string, StatementSync>()

  function prepare(query: string): StatementSync {
    let statement = statements.get(query)
    if (statement === undefined) {
      statement = db.prepare(query)
      statements.set(query, statement)
    }
    return statement
  }

  return {
    all<Row>(query: string, ...params: SqlValue[]): Row[] {
      return prepare(query).all(...params) as Row[]
    },
    atomic<T>(fn: () => T): T {
      prepare('BEGIN IMMEDIATE').run()
      try {
        const result = fn()
        prepare('COMMIT').run()
        return result
      } catch (error) {
        // A full disk or an I/O error may have rolled back already; then this fails, and says nothing new.
        try {
          prepare('ROLLBACK').run()
        } catch {}
        throw error
      }
    },
    close: () => db.close(),
  }
}
