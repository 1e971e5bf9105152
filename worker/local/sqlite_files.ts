/**
 * The files of a SQLite database.
 *
 * @module
 */

/** The files that hold pages of a database: its own, and its journals. Not all of them need to exist. */
export function sqliteDataFiles(database: string): string[] {
  return [database, `${database}-wal`, `${database}-journal`]
}

/** All files of a database: those with pages, and the index of its write-ahead log. Not all of them need to exist. */
export function sqliteFiles(database: string): string[] {
  return [...sqliteDataFiles(database), `${database}-shm`]
}
