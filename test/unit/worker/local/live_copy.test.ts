/** Copying a database while it is written: the copy is of one moment, and the original keeps its lock. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { openSqlite, type Sqlite } from '../../../../worker/local/sqlite.ts'

const ROWS = 4000

let folder: string
let sql: Sqlite
const file = () => join(folder, 'a.sqlite')
const target = () => join(folder, 'b.sqlite')

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-copy-'))
  sql = openSqlite(file())
  sql.all('CREATE TABLE t (n INTEGER PRIMARY KEY, round INTEGER NOT NULL, filler BLOB NOT NULL)')
  // 16 MiB: some chunks.
  sql.atomic(() => {
    for (let n = 0; n < ROWS; n++) sql.all('INSERT INTO t VALUES (?, 0, ?)', n, new Uint8Array(4000))
  })
})

afterEach(() => {
  sql.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Rewrites every row, round by round, a transaction each, for as long as something takes. */
async function writeDuring<T>(work: Promise<T>, each: (round: number) => void = () => {}): Promise<number> {
  let [round, going] = [0, true]
  const done = work.finally(() => {
    going = false
  })
  while (going) {
    round++
    sql.atomic(() => sql.all('UPDATE t SET round = ?, filler = ?', round, new Uint8Array(4000).fill(round)))
    each(round)
    await new Promise((next) => setImmediate(next))
  }
  await done
  return round
}

/** Whether this process has a descriptor of a file; where that cannot be told it has none. */
function isOpen(path: string): boolean {
  if (!existsSync('/proc/self/fd')) return false
  return readdirSync('/proc/self/fd').some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === path
    } catch {
      return false
    }
  })
}

const roundsOf = (of: Sqlite) =>
  of.all<{ round: number; count: number }>('SELECT round, COUNT(*) AS count FROM t GROUP BY round')

it('is a whole snapshot of one moment during writes and erasures', async () => {
  sql.atomic(() => sql.all('UPDATE t SET round = 1000'))
  const rounds = await writeDuring(sql.copyTo(target()), () => sql.scrub())
  expect(rounds).toBeGreaterThan(1)
  const copy = openSqlite(target())
  expect(copy.all('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  expect(roundsOf(copy).map(({ count }) => count)).toEqual([ROWS])
  copy.close()
  expect(statSync(target()).mode & 0o777).toBe(0o600)
  expect(roundsOf(sql)).toEqual([{ round: rounds, count: ROWS }])
})

it('leaves the journal as small as it was, and emptied by itself as before', async () => {
  const usual = sql.all('PRAGMA wal_autocheckpoint')
  await writeDuring(sql.copyTo(target()))
  expect(statSync(`${file()}-wal`).size).toBe(0)
  expect(sql.all('PRAGMA wal_autocheckpoint')).toEqual(usual)
})

it('can be made again, of what was written until then, though it be little and in the journal yet', async () => {
  await sql.copyTo(target())
  rmSync(target())
  sql.atomic(() => sql.all('UPDATE t SET round = 7 WHERE n = 0'))
  expect(statSync(`${file()}-wal`).size).toBeGreaterThan(0)
  await sql.copyTo(target())
  const copy = openSqlite(target())
  expect(roundsOf(copy)).toEqual([
    { round: 0, count: ROWS - 1 },
    { round: 7, count: 1 },
  ])
  copy.close()
})

it('lets go of the file with the database, and not before', async () => {
  await sql.copyTo(target())
  expect(isOpen(file())).toBe(existsSync('/proc/self/fd'))
  sql.close()
  await vi.waitUntil(() => !isOpen(file()))
  sql = openSqlite(':memory:')
})

it('does not let another process in, then or afterwards', async () => {
  const code = `const { DatabaseSync } = require('node:sqlite'); new DatabaseSync(${JSON.stringify(file())}).exec('BEGIN IMMEDIATE')`
  const other = () => spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' }).stderr
  expect(other()).toContain('locked')
  await sql.copyTo(target())
  expect(other()).toContain('locked')
})

it('is refused while another copy runs, and over an existing file', async () => {
  const first = sql.copyTo(target())
  await expect(sql.copyTo(join(folder, 'c.sqlite'))).rejects.toThrow('being copied')
  await first
  await expect(sql.copyTo(target())).rejects.toThrow('EEXIST')
})

it.each([
  ['before it began', async () => {}],
  [
    'in the middle of it',
    async () => {
      while (!existsSync(target()) || statSync(target()).size === 0) await new Promise((next) => setImmediate(next))
    },
  ],
])('is refused when the database is closed %s, which writes to its file', async (_, reached) => {
  const broken = sql.copyTo(target()).then(
    () => null,
    (error: unknown) => error,
  )
  await reached()
  expect(isOpen(file())).toBe(existsSync('/proc/self/fd'))
  sql.close()
  expect(await broken).toEqual(new Error('Database was closed'))
  await vi.waitUntil(() => !isOpen(file()))
  sql = openSqlite(':memory:')
})
