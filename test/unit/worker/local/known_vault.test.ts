/** A vault whose file was emptied, deleted, replaced or cut is refused with what to do; no new vault takes its place. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { base64url, randomBytes } from '../../../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../../../core/crypto/keyring.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import type { Anchor } from '../../../../core/tlog/anchor.ts'
import { registryOf } from '../../../../worker/compose.ts'
import { checkRootKeys } from '../../../../worker/local/check_root_keys.ts'
import { DataFolder } from '../../../../worker/local/data_folder.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'
import { hasVaultList, VaultList } from '../../../../worker/local/vault_list.ts'
import type { OpenVault } from '../../../../worker/vault_host/open_vault.ts'
import { rejectionOf } from '../../../support/core.ts'

let root: string
let data: string
let keyring: Keyring
let stores: DataFolder[]
let lines: string[]
let anchors: Anchor[]

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'postern-known-'))
  data = join(root, 'data')
  mkdirSync(data)
  keyring = await Keyring.open(parseRootKey(base64url(randomBytes(32))))
  stores = []
  lines = []
  anchors = []
  vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(String(line)))
})
afterEach(() => {
  for (const one of stores) one.close()
  rmSync(root, { recursive: true, force: true })
  vi.restoreAllMocks()
})

const file = (name: string) => join(data, name)

/** A server over the folder. */
async function start(environment: Record<string, string> = {}): Promise<DataFolder> {
  const settings = parseSettings({ environment })
  const surroundings = { settings, keyring, registry: registryOf({ settings }, null), anchors }
  const started = new DataFolder(data, surroundings, await VaultList.open(data, keyring))
  stores.push(started)
  return started
}

/** Makes an entry of the log, as every acknowledged request does. */
function write({ vault }: OpenVault) {
  return vault.perform('vault.configure', { n: Math.random() } as never, Date.now())
}

/** Serves a vault for a while, and ends in order. */
async function serve(id: string, environment: Record<string, string> = {}): Promise<void> {
  const started = await start(environment)
  const opened = (await started.open(id, true))!
  for (let i = 0; i < 5; i++) expect(write(opened)).toMatchObject({ ok: true })
  started.close()
}

const refusedBy = async (id: string, create: boolean, environment: Record<string, string> = {}) => {
  const { code, message } = await rejectionOf((await start(environment)).open(id, create))
  expect(code).toBe('unavailable')
  return message
}

const DAMAGES: [string, (path: string) => void, string][] = [
  ['deleted', (path) => rmSync(path), 'Is missing'],
  ['emptied', (path) => truncateSync(path), 'Is empty'],
  ['cut to its first page', (path) => truncateSync(path, 4096), 'not a whole database'],
  ['cut in the middle', (path) => truncateSync(path, statSync(path).size / 2), 'not a whole database'],
  ['overwritten', (path) => writeFileSync(path, 'no database at all'.repeat(1000)), 'not a whole database'],
  ['replaced by an empty database', (path) => void [rmSync(path), openSqlite(path).close()], 'Holds no vault'],
]

describe('row 64: the file of a vault', () => {
  it.each(DAMAGES.flatMap((one) => [['default', ...one] as const, ['acme', ...one] as const]))(
    'is refused for any caller, and not created again: %s that was %s',
    async (id, _, damage, problem) => {
      await serve(id)
      damage(file(`${id}.sqlite`))
      const left = existsSync(file(`${id}.sqlite`)) ? readFileSync(file(`${id}.sqlite`)) : null
      for (const create of [true, false]) {
        const message = await refusedBy(id, create)
        expect(message).toContain(`${id}.sqlite`)
        expect(message).toContain(problem)
        expect(message).toContain('npm run restore -- FILE')
        expect(message).toContain(`npm run forget -- ${id}`)
      }
      expect(existsSync(file(`${id}.sqlite`)) ? readFileSync(file(`${id}.sqlite`)) : null).toEqual(left)
    },
  )

  it.each([
    ...DAMAGES,
    ...['meta', 'log_key', 'entry', 'principal'].map((table): (typeof DAMAGES)[number] => [
      `robbed of its table ${table}`,
      (path) => {
        const db = new DatabaseSync(path)
        db.exec(`PRAGMA foreign_keys = OFF; DROP TABLE ${table}`)
        db.close()
      },
      '',
    ]),
  ])('does not keep other vaults closed after it was %s', async (_, damage) => {
    for (const id of ['default', 'acme']) await serve(id)
    damage(file('acme.sqlite'))
    await expect(checkRootKeys(data, keyring)).resolves.toEqual([])
    const started = await start()
    await started.openAll()
    expect(write((await started.open('default', false))!)).toMatchObject({ ok: true })
    expect(
      lines.filter((line) => /"(vault_unavailable|schema_changed)"/.test(line) && line.includes('acme')),
    ).toHaveLength(1)
  })

  it('is refused after it was replaced by that of another vault under the same key and id', async () => {
    await serve('default')
    renameSync(data, join(root, 'first'))
    mkdirSync(data)
    await serve('default')
    copyFileSync(join(root, 'first/default.sqlite'), file('default.sqlite'))
    expect(await refusedBy('default', true)).toContain('Is not the store that was served')
  })

  it('is refused after it was replaced by an earlier copy, or has lost its journal', async () => {
    await serve('default')
    copyFileSync(file('default.sqlite'), join(root, 'copy'))
    await serve('default')
    copyFileSync(join(root, 'copy'), file('default.sqlite'))
    expect(await refusedBy('default', true)).toMatch(/Has \d+ entries of its log, and had \d+/)
  })

  it.each([
    ['copied', copyFileSync],
    ['renamed', renameSync],
  ])('is refused, and left untouched, after it was %s to the name of another vault', async (_, place) => {
    await serve('default')
    place(file('default.sqlite'), file('default-before.sqlite'))
    const left = readFileSync(file('default-before.sqlite'))
    expect(await refusedBy('default-before', false)).toContain('default-before.sqlite: Holds the vault "default"')
    const started = await start()
    await started.openAll()
    expect([...started.opened()]).toHaveLength(existsSync(file('default.sqlite')) ? 1 : 0)
    expect(lines.join()).toContain('Holds the vault \\"default')
    expect(readFileSync(file('default-before.sqlite'))).toEqual(left)
  })

  it('is refused as an earlier copy with an empty or unreadable anchor', async () => {
    await serve('default')
    copyFileSync(file('default.sqlite'), join(root, 'copy'))
    await serve('default')
    copyFileSync(join(root, 'copy'), file('default.sqlite'))
    const unread = () => Promise.reject(new Error('unreachable'))
    for (const read of [async () => null, unread]) {
      anchors = [{ target: 'anchor:new', read, write: async () => {} }]
      expect(await refusedBy('default', true)).toMatch(/Has \d+ entries of its log, and had \d+/)
    }
  })

  it('is refused as an earlier copy when a setting accepts another state', async () => {
    await serve('default')
    copyFileSync(file('default.sqlite'), join(root, 'copy'))
    await serve('default')
    copyFileSync(join(root, 'copy'), file('default.sqlite'))
    const hash = base64url(randomBytes(32))
    const environment = { POSTERN_AUDIT__ACCEPT_ROLLBACK: `default/2/${hash}/3/${hash}` }
    expect(await refusedBy('default', true, environment)).toMatch(/Has \d+ entries of its log, and had \d+/)
  })

  it('is refused after it was copied alone while it was served, in a folder without a list too', async () => {
    const started = await start()
    write((await started.open('default', true))!)
    copyFileSync(file('default.sqlite'), join(root, 'copy'))
    started.close()
    rmSync(data, { recursive: true })
    mkdirSync(data)
    renameSync(join(root, 'copy'), file('default.sqlite'))
    expect(await refusedBy('default', true)).toContain('Holds no vault')
  })

  it.each(['default.sqlite', 'default.sqlite-wal'])(
    'is not called damaged, nor given up, when the system does not open %s',
    async (name) => {
      await serve('default')
      rmSync(file(name), { force: true })
      mkdirSync(file(name))
      const message = await refusedBy('default', true)
      expect(message).toContain('default.sqlite cannot be opened: the disk or a permission')
      expect(message).not.toMatch(/restore|forget/)
    },
  )

  it('is refused if only its journal is left', async () => {
    writeFileSync(file('default.sqlite-wal'), 'x')
    expect(await refusedBy('default', true)).toContain('Is missing')
    expect(readFileSync(file('default.sqlite-wal'), 'utf8')).toBe('x')
  })

  it('is named with the newest backup of its log', async () => {
    const folder = join(root, 'backups')
    mkdirSync(folder)
    const environment = { POSTERN_BACKUP__FOLDER: folder }
    const started = await start(environment)
    const { scheduler } = (await started.open('default', true))!
    await vi.waitUntil(async () => {
      await scheduler.run(Date.now() + 1000)
      return lines.length > 0 || readdirSync(folder).some((name) => name.endsWith('.sqlite'))
    })
    started.close()
    truncateSync(file('default.sqlite'))
    expect(await refusedBy('default', true, environment)).toContain(`npm run restore -- ${folder}/default.`)
  })

  it('is created again, or taken as it is, after it was forgotten', async () => {
    await serve('default')
    rmSync(file('default.sqlite'))
    const list = await VaultList.open(data, keyring)
    list.forget('default')
    const started = await start()
    expect((await started.open('default', true))?.vault.isEmpty()).toBe(true)
  })

  it('is adopted with a list, where a folder has none: as it was left by an earlier version', async () => {
    await serve('default')
    const sql = openSqlite(file('default.sqlite'))
    sql.all("DELETE FROM meta WHERE key = 'store'")
    sql.close()
    rmSync(file('vaults.json'))
    expect(await (await start()).open('default', false)).not.toBeNull()
    for (const one of stores) one.close()
    expect(hasVaultList(data)).toBe(true)
    truncateSync(file('default.sqlite'))
    expect(await refusedBy('default', true)).toContain('Is empty')
  })

  it('is created if a killed process never finished it', async () => {
    const list = await VaultList.open(data, keyring)
    list.keep('default', { store: null, size: null })
    expect(await (await start()).open('other', false)).toBeNull()
    expect(await (await start()).open('default', false)).toBeNull()
    writeFileSync(file('default.sqlite'), '')
    expect((await (await start()).open('default', true))?.vault.isEmpty()).toBe(true)
  })
})

describe('row 64: the list of vaults', () => {
  it('is refused when it was edited, and under another root key', async () => {
    await serve('default')
    const text = readFileSync(file('vaults.json'), 'utf8')
    const keys = keyring
    keyring = await Keyring.open(parseRootKey(base64url(randomBytes(32))))
    expect((await rejectionOf(VaultList.open(data, keyring))).message).toContain(
      'vaults.json: Must be as this server wrote it',
    )
    keyring = keys
    for (const edited of [text.replace('"default"', '"defaulx"'), text.replace(/"size": \d+/, '"size": 0'), '', '{}']) {
      writeFileSync(file('vaults.json'), edited)
      expect((await rejectionOf(VaultList.open(data, keyring))).message).toContain('vaults.json: Must be as')
    }
    writeFileSync(file('vaults.json'), text)
    expect((await VaultList.open(data, keyring)).ids).toEqual(['default'])
  })

  it('never forgets entries of a log that it knew of', async () => {
    const list = await VaultList.open(data, keyring)
    list.keep('default', { store: 'x', size: 7 })
    for (const size of [6, 0, 7]) list.grow(new Map([['default', size]]))
    expect(list.find('default')?.size).toBe(7)
    list.grow(new Map([['default', 8]]))
    expect(list.find('default')?.size).toBe(8)
  })

  it('takes any id of a vault for that alone', async () => {
    const list = await VaultList.open(data, keyring)
    expect(list.find('constructor')).toBeNull()
    list.keep('constructor', { store: 'x', size: 1 })
    expect(list.find('constructor')).toMatchObject({ store: 'x', size: 1 })
    expect(statSync(file('vaults.json')).mode & 0o777).toBe(0o600)
  })
})

describe('row 64: a data folder under a running server', () => {
  const LOSSES: [string, () => void][] = [
    ['deleted', () => rmSync(data, { recursive: true })],
    ['moved', () => renameSync(data, join(root, 'moved'))],
    ['replaced by an empty one', () => void [renameSync(data, join(root, 'moved')), mkdirSync(data)]],
    ['left without the file', () => rmSync(file('acme.sqlite'))],
    ['left without the journal', () => rmSync(file('acme.sqlite-wal'))],
    [
      'given another file',
      () => void [renameSync(file('acme.sqlite'), join(root, 'x')), copyFileSync(join(root, 'x'), file('acme.sqlite'))],
    ],
  ]
  it.each(LOSSES)('stops acknowledging, creates nothing, and logs one line when it is %s', async (_, lose) => {
    const started = await start()
    await started.open('default', true)
    const opened = (await started.open('acme', true))!
    expect([write(opened).ok, started.ready()]).toEqual([true, true])
    lose()
    const before = existsSync(data) ? readdirSync(data).sort() : null
    for (let i = 0; i < 3; i++) expect(write(opened)).toMatchObject({ ok: false, reason: 'storage' })
    expect(started.ready()).toBe(false)
    const told = lines.filter((line) => line.includes('vault_file_gone') && line.includes('"acme"'))
    expect(told).toHaveLength(1)
    expect(told[0]).toContain('acme.sqlite')
    started.close()
    expect(existsSync(data) ? readdirSync(data).filter((name) => !before?.includes(name)) : null).toEqual(before && [])
  })

  it('is served again after it was put back, with all acknowledged writes', async () => {
    const started = await start()
    const opened = (await started.open('default', true))!
    const before = write(opened).index!
    renameSync(data, join(root, 'moved'))
    expect(write(opened)).toMatchObject({ ok: false, reason: 'storage' })
    await expect(started.open('another', true)).rejects.toMatchObject({ code: 'unavailable' })
    expect(existsSync(data)).toBe(false)
    renameSync(join(root, 'moved'), data)
    expect(write(opened)).toMatchObject({ ok: true, index: before + 1 })
    expect(started.ready()).toBe(true)
  })
})
