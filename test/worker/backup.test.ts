/** The duty that backs a vault up, and the folder that it does so into. The drill with whole servers is `test/runtime/backup.test.ts`. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseCheckpoint } from '../../core/audit/checkpoint.ts'
import { parseNote } from '../../core/audit/note.ts'
import { Redacted } from '../../core/redacted.ts'
import type { Archive } from '../../worker/archive.ts'
import {
  backupsIn,
  checkpointOf,
  type FolderArchive,
  folderArchive,
  requestBackups,
  watchRequests,
} from '../../worker/archive_folder.ts'
import { backup } from '../../worker/backup.ts'
import { openSqlite } from '../../worker/sqlite.ts'
import { type Desk, performer } from '../../worker/upkeep.ts'
import { openGateway } from './gateway_bench.ts'

const HOUR_MS = 3_600_000

let folder: string
let close: () => void

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-backup-'))
  close = () => {}
})

afterEach(() => {
  vi.useRealTimers()
  close()
  rmSync(folder, { recursive: true, force: true })
})

const sql = () => openSqlite(join(folder, 'default.sqlite'))
const backups = () =>
  readdirSync(folder)
    .filter((name) => /^(?:default|other)\.\d/.test(name))
    .sort()

/** A vault with something in it, and the desk of its duty. */
async function open({ everyHours = 24, keep = 3 } = {}) {
  const store = sql()
  close = () => store.close()
  const bench = await openGateway(null, { sql: store })
  await bench.admin.put('a', new Redacted('x'))
  const archive = folderArchive('default', store, folder, { folder, everyHours, keep })
  const { settings, keyring, upstreams, opened } = bench
  const deskWith = (other: Archive): Desk => ({
    ...{ vault: 'default', settings, keyring, upstreams, anchors: [], archive: other },
    ...{ quarantine: () => {}, stir: () => {} },
    perform: performer((task, input, now) => opened.vault.perform(task, input, now)),
  })
  const recorded = () => bench.log().filter(({ operation }) => operation === 'vault.backed_up')
  return { ...bench, archive, deskWith, recorded, run: (other: Archive = archive) => backup.run(deskWith(other)) }
}

describe('a backup', () => {
  it('is made when it is due, of the log that its checkpoint says, and recorded; then not before its time', async () => {
    const { run, recorded, archive, log } = await open()
    const size = log().length
    const next = await run()
    const [checkpoint, file] = backups()
    expect(backups()).toHaveLength(2)
    expect(checkpoint).toBe(checkpointOf(file!))
    expect(file).toMatch(new RegExp(`^default\\.\\d{8}T\\d{9}Z\\.${size}\\.sqlite$`))
    const { text } = parseNote(readFileSync(join(folder, checkpoint!), 'utf8'), 'checkpoint')
    expect(parseCheckpoint(text)).toMatchObject({ size })
    expect(recorded()).toMatchObject([{ outcome: 'ok', facts: { file, size } }])
    const { at } = backupsIn(folder, 'default')[0]!
    expect([next, archive.dueAt()]).toEqual([at + 24 * HOUR_MS, at + 24 * HOUR_MS])
    expect(await run()).toBe(next)
    expect(backups()).toHaveLength(2)
  })

  it('is made only when it is asked for, where no schedule says so, and then once', async () => {
    const { run, archive } = await open({ everyHours: 0 })
    expect([await run(), backups()]).toEqual([Number.POSITIVE_INFINITY, []])
    archive.request()
    expect(archive.dueAt()).toBe(0)
    expect(await run()).toBe(Number.POSITIVE_INFINITY)
    expect(backups()).toHaveLength(2)
  })

  it('is made once more when it was asked for while one was made', async () => {
    const { run, archive } = await open({ everyHours: 0 })
    archive.request()
    const copying = async () => {
      const copy = archive.copy()
      archive.request()
      return copy
    }
    expect(await run({ ...archive, copy: copying })).toBe(0)
    expect(await run()).toBe(Number.POSITIVE_INFINITY)
  })

  it.each<[string, (archive: FolderArchive) => Archive]>([
    [
      'what was copied is not the beginning of what is served',
      (archive) => ({
        ...archive,
        copy: async () => {
          const copy = await archive.copy()
          return { ...copy, head: { ...copy.head, root: new Uint8Array(32) as typeof copy.head.root } }
        },
      }),
    ],
    [
      'it cannot be kept',
      (archive) => ({
        ...archive,
        copy: async () => ({
          ...(await archive.copy()),
          keep: () => {
            throw new Error('No room')
          },
        }),
      }),
    ],
  ])('is not kept, nor recorded, when %s', async (_, broken) => {
    const { run, archive, recorded } = await open()
    await expect(run(broken(archive))).rejects.toThrow()
    expect(readdirSync(folder).filter((name) => name.includes('partial') || name.includes('.checkpoint'))).toEqual([])
    expect([backups(), recorded()]).toEqual([[], []])
    // And is still due.
    expect(archive.dueAt()).toBeLessThan(Date.now())
    await run()
    expect(recorded()).toHaveLength(1)
  })

  it('is made over what a process left that was killed over one', async () => {
    const { run } = await open()
    for (const end of ['', '-wal', '-shm', '-journal']) writeFileSync(join(folder, `.default.partial${end}`), 'x')
    await run()
    expect(backups()).toHaveLength(2)
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([])
  })

  it('makes room: the newest of its vault stay, with their checkpoints, and whatever else is there', async () => {
    const { archive } = await open({ keep: 2 })
    const names = (id: string) => ['20260101', '20260103', '20260102'].map((day) => `${id}.${day}T000000000Z.7.sqlite`)
    const others = [...names('other'), 'default.sqlite.txt', 'default.20260101T000000000Z.x.sqlite']
    for (const name of [...names('default'), ...others]) writeFileSync(join(folder, name), '')
    for (const name of names('default')) writeFileSync(join(folder, checkpointOf(name)), '')
    expect(backupsIn(folder, 'default').map(({ file }) => file.slice(8, 16))).toEqual([
      '20260103',
      '20260102',
      '20260101',
    ])
    archive.prune()
    const [oldest, ...kept] = names('default')
    expect([oldest!, checkpointOf(oldest!)].filter((name) => existsSync(join(folder, name)))).toEqual([])
    for (const name of [...kept, ...kept.map(checkpointOf), ...others]) {
      expect([name, existsSync(join(folder, name))]).toEqual([name, true])
    }
  })

  it('makes room after each that is made', async () => {
    const { run, archive } = await open({ everyHours: 0, keep: 1 })
    for (let i = 0; i < 3; i++) {
      archive.request()
      await run()
    }
    expect(backupsIn(folder, 'default')).toHaveLength(1)
    expect(backups()).toHaveLength(2)
  })
})

describe('a request for backups', () => {
  it('is taken once, by whatever server has the folder, and can be withdrawn', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    let taken = 0
    const watch = watchRequests(folder, () => taken++)
    vi.advanceTimersByTime(3000)
    expect(taken).toBe(0)
    const request = requestBackups(folder)
    expect(request.taken()).toBe(false)
    vi.advanceTimersByTime(3000)
    expect([taken, request.taken()]).toEqual([1, true])
    requestBackups(folder).withdraw()
    vi.advanceTimersByTime(3000)
    expect(taken).toBe(1)
    watch.stop()
    const late = requestBackups(folder)
    vi.advanceTimersByTime(3000)
    expect([taken, late.taken()]).toEqual([1, false])
  })
})
