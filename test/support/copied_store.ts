import { openSqlite, type Sqlite } from '../../worker/local/sqlite.ts'

/** What a store holds, as a copy in memory: a backup. */
export function copyOf(sql: Sqlite): Sqlite {
  const copy = openSqlite(':memory:')
  copy.all('PRAGMA foreign_keys = OFF')
  const objects = sql.all<{ type: string; name: string; sql: string }>(
    "SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY type = 'table' DESC",
  )
  for (const { type, name, sql: statement } of objects) {
    copy.all(statement)
    if (type !== 'table') continue
    for (const row of sql.all<Record<string, null>>(`SELECT * FROM ${name}`)) {
      const values = Object.values(row)
      copy.all(`INSERT INTO ${name} VALUES (${values.map(() => '?').join()})`, ...values)
    }
  }
  copy.all('PRAGMA foreign_keys = ON')
  return copy
}
