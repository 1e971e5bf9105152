/** The job that backs a vault up, and the folder of its backups. The drill with whole servers is `test/system/runtime/backup.test.ts`. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { base64url, randomBytes } from '../../../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../../../core/crypto/keyring.ts'
import { HOUR_MS } from '../../../../core/durations.ts'
import { Redacted } from '../../../../core/redacted.ts'
import { parseCheckpoint } from '../../../../core/tlog/checkpoint.ts'
import { parseNote } from '../../../../core/tlog/signed_note.ts'
import { backUp } from '../../../../worker/background/back_up.ts'
import type { BackupStore } from '../../../../worker/background/backup_store.ts'
import {
  type BackupFolder,
  backupsIn,
  checkpointOf,
  newestBackup,
  openBackupFolder,
  requestBackups,
  watchRequests,
} from '../../../../worker/local/backup_folder.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'
import { sqliteFiles } from '../../../../worker/local/sqlite_files.ts'
import { performer, type VaultServices } from '../../../../worker/vault_services.ts'
import { openApp } from '../provider_access/provider_access_fixture.ts'

const SERVER = '0123456789abcdef'

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

/** A vault with something in it, and the services of its job. */
async function open({ everyHours = 24, keep = 3 } = {}) {
  const store = sql()
  close = () => store.close()
  const bench = await openApp(null, { sql: store })
  await bench.admin.put('a', new Redacted('x'))
  const backupStore = openBackupFolder('default', store, folder, SERVER)
  const { keyring, registry, opened } = bench
  const settings = { ...bench.settings, backup: { folder, everyHours, keep } }
  const servicesWith = (other: BackupStore): VaultServices => ({
    ...{ vault: 'default', settings, keyring, registry, anchors: [], backupStore: other },
    ...{ quarantine: () => {}, notifyWrite: () => {} },
    perform: performer((task, input, now) => opened.vault.perform(task, input, now)),
  })
  const recorded = () => bench.log().filter(({ operation }) => operation === 'vault.backed_up')
  return {
    ...bench,
    settings,
    store,
    backupStore,
    servicesWith,
    recorded,
    run: (other: BackupStore = backupStore) => backUp.run(servicesWith(other)),
  }
}

/** The files that this process has open. Empty where the system does not tell. */
function openFiles(): string[] {
  const descriptors = existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd') : []
  return descriptors.flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)]
    } catch {
      return []
    }
  })
}

describe('a backup', () => {
  it('is made when it is due, of the log that its checkpoint says, and recorded; then not before its time', async () => {
    const { run, recorded, log } = await open()
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
    expect(next).toBe(at + 24 * HOUR_MS)
    expect(await run()).toBe(next)
    expect(backups()).toHaveLength(2)
  })

  it('is made only when it is asked for, where no schedule says so, and then once', async () => {
    const { run, backupStore } = await open({ everyHours: 0 })
    expect([await run(), backups()]).toEqual([Number.POSITIVE_INFINITY, []])
    backupStore.request()
    expect(backupStore.isRequested()).toBe(true)
    expect(await run()).toBe(Number.POSITIVE_INFINITY)
    expect(backups()).toHaveLength(2)
  })

  it('is made once more when it was asked for while one was made', async () => {
    const { run, backupStore } = await open({ everyHours: 0 })
    backupStore.request()
    const copying = async () => {
      const copy = backupStore.copy()
      backupStore.request()
      return copy
    }
    expect(await run({ ...backupStore, copy: copying })).toBe(0)
    expect(await run()).toBe(Number.POSITIVE_INFINITY)
  })

  it.each<[string, (backupStore: BackupFolder) => BackupStore]>([
    [
      'the copied log is not a prefix of the served log',
      (backupStore) => ({
        ...backupStore,
        copy: async () => {
          const copy = await backupStore.copy()
          return { ...copy, head: { ...copy.head, root: new Uint8Array(32) as typeof copy.head.root } }
        },
      }),
    ],
    [
      'it cannot be kept',
      (backupStore) => ({
        ...backupStore,
        copy: async () => ({
          ...(await backupStore.copy()),
          keep: () => {
            throw new Error('No room')
          },
        }),
      }),
    ],
  ])('is not kept, nor recorded, when %s', async (_, broken) => {
    const { run, backupStore, recorded } = await open()
    await expect(run(broken(backupStore))).rejects.toThrow()
    expect(readdirSync(folder).filter((name) => name.includes('partial') || name.includes('.checkpoint'))).toEqual([])
    expect([backups(), recorded()]).toEqual([[], []])
    // And is still due.
    await run()
    expect(recorded()).toHaveLength(1)
  })

  it('closes a copy whose log cannot be read, and leaves nothing of it behind', async () => {
    const { store, backupStore } = await open()
    store.all('DROP TABLE entry')
    await expect(backupStore.copy()).rejects.toThrow()
    expect(openFiles().filter((path) => path.includes('partial'))).toEqual([])
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([])
  })

  it('is made over what a process left that was killed over one', async () => {
    const { run } = await open()
    for (const file of sqliteFiles(join(folder, `.default.${SERVER}.partial`))) writeFileSync(file, 'x')
    await run()
    expect(backups()).toHaveLength(2)
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([])
  })

  it('makes room after each that is made', async () => {
    const { run, backupStore } = await open({ everyHours: 0, keep: 1 })
    for (let i = 0; i < 3; i++) {
      backupStore.request()
      await run()
    }
    expect(backupsIn(folder, 'default')).toHaveLength(1)
    expect(backups()).toHaveLength(2)
  })

  const names = (id: string) => ['20260101', '20260103', '20260102'].map((day) => `${id}.${day}T000000000Z.7.sqlite`)
  it('row 63: removes nothing that it did not make, nor what looks nearly like a backup', async () => {
    const { run, backupStore } = await open({ everyHours: 0, keep: 1 })
    const others = [
      ...names('other'),
      ...names('default'),
      'default.sqlite.txt',
      'default.20260101T000000000Z.x.sqlite',
    ]
    for (const name of others) writeFileSync(join(folder, name), '')
    for (const name of names('default')) writeFileSync(join(folder, checkpointOf(name)), 'no checkpoint')
    for (let i = 0; i < 3; i++) {
      backupStore.request()
      await run()
    }
    const kept = [...others, ...names('default').map(checkpointOf)]
    expect(kept.filter((name) => !existsSync(join(folder, name)))).toEqual([])
    expect(backups().filter((name) => !kept.includes(name))).toHaveLength(2)
  })

  it('row 63: keeps what another vault of the same id made, of a longer log or a shorter one, by any clock', async () => {
    const first = await open({ everyHours: 0, keep: 2 })
    const make = async (
      { backupStore, admin, run }: Awaited<ReturnType<typeof open>>,
      times: number,
      writes: number,
    ) => {
      for (let i = 0; i < times; i++) {
        for (let n = 0; n < writes; n++) await admin.put(`n/${n}`, new Redacted('x'))
        backupStore.request()
        await run()
      }
    }
    await make(first, 3, 5)
    const ofFirst = backups()
    expect(ofFirst).toHaveLength(4)
    close()
    rmSync(join(folder, 'default.sqlite'))
    // As after a lost key, and as of another server: same id, same folder, another log.
    const second = await open({ everyHours: 0, keep: 2 })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2020-01-01') })
    await make(second, 4, 1)
    vi.setSystemTime(Date.parse('2035-01-01'))
    await make(second, 4, 1)
    expect(ofFirst.filter((name) => !backups().includes(name))).toEqual([])
    const ofSecond = backupsIn(folder, 'default').filter(({ file }) => !ofFirst.includes(file))
    const size = second.log().length
    expect(ofSecond.map((one) => one.size).every((of) => of > size - 6)).toBe(true)
    expect(ofSecond).toHaveLength(2)
  })

  it('row 63: counts the ones that 0.1 made of this log, which recorded none', async () => {
    const { run, backupStore, admin, store } = await open({ everyHours: 0, keep: 2 })
    for (let i = 0; i < 3; i++) {
      await admin.put('b', new Redacted('x'))
      backupStore.request()
      await run()
      store.all("DELETE FROM meta WHERE key = 'backups'")
    }
    expect(backupsIn(folder, 'default')).toHaveLength(2)
  })

  it('row 63: keeps the one that holds most of the log, though the clock was set back or forward', async () => {
    const { run, backupStore, admin } = await open({ everyHours: 0, keep: 2 })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2030-06-01') })
    const made: string[] = []
    for (const time of ['2030-06-01', '2020-01-01', '2040-01-01', '2021-01-01']) {
      vi.setSystemTime(Date.parse(time))
      await admin.put('b', new Redacted('x'))
      backupStore.request()
      await run()
      made.push(backupsIn(folder, 'default')[0]!.file)
    }
    expect(backupsIn(folder, 'default').map(({ file }) => file)).toEqual([made[3], made[2]])
  })

  it('is due at once when the newest is from the future: the clock was set back since', async () => {
    const { run } = await open({ everyHours: 24 })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2040-01-01') })
    await run()
    vi.setSystemTime(Date.parse('2030-01-01'))
    expect(await run()).toBe(Date.parse('2030-01-02'))
    expect(backupsIn(folder, 'default')).toHaveLength(2)
  })
})

describe('newestBackup', () => {
  it('row 63: finds the one that holds most of the log of these root keys', async () => {
    const { run, backupStore, keyring, settings, admin } = await open({ everyHours: 0 })
    const keys = { vault: 'default', keyring, settings }
    expect(await newestBackup(folder, keys)).toBeNull()
    for (let i = 0; i < 2; i++) {
      await admin.put('b', new Redacted('x'))
      backupStore.request()
      await run()
    }
    const [newest, older] = backupsIn(folder, 'default')
    const foreign = 'default.20990101T000000000Z.9999.sqlite'
    writeFileSync(join(folder, foreign), '')
    writeFileSync(
      join(folder, checkpointOf(foreign)),
      readFileSync(join(folder, checkpointOf(older!.file)), 'utf8').replace(/— .*/, '— x AAAA'),
    )
    expect(await newestBackup(folder, keys)).toBe(join(folder, newest!.file))
    const other = await Keyring.open(parseRootKey(base64url(randomBytes(32))))
    expect(await newestBackup(folder, { ...keys, keyring: other })).toBeNull()
  })
})

describe('a request for backups', () => {
  it('is taken once, by the server that it is for, and can be withdrawn', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    let taken = 0
    const watch = watchRequests(folder, SERVER, () => taken++)
    vi.advanceTimersByTime(3000)
    requestBackups(folder, 'fedcba9876543210')
    vi.advanceTimersByTime(3000)
    expect(taken).toBe(0)
    const request = requestBackups(folder, SERVER)
    expect(request.taken()).toBe(false)
    vi.advanceTimersByTime(3000)
    expect([taken, request.taken()]).toEqual([1, true])
    requestBackups(folder, SERVER).withdraw()
    vi.advanceTimersByTime(3000)
    expect(taken).toBe(1)
    watch.stop()
    const late = requestBackups(folder, SERVER)
    vi.advanceTimersByTime(3000)
    expect([taken, late.taken()]).toEqual([1, false])
  })
})
