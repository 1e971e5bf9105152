/** Root keys in files: made, replaced, broken off at every step, and checked against every vault before one is opened. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { base64url, randomBytes } from '../../../../core/bytes.ts'
import { Keyring, parseRootKey } from '../../../../core/crypto/keyring.ts'
import { parseSettings } from '../../../../core/settings/settings.ts'
import { migrate } from '../../../../core/vault/migrate.ts'
import { registryOf } from '../../../../worker/compose.ts'
import { checkRootKeys } from '../../../../worker/local/check_root_keys.ts'
import { DataFolder } from '../../../../worker/local/data_folder.ts'
import { readRootKeyFiles, replaceRootKeyFile } from '../../../../worker/local/root_key_files.ts'
import { openSqlite } from '../../../../worker/local/sqlite.ts'
import { VaultList } from '../../../../worker/local/vault_list.ts'
import { refusalFrom, rejectionOf } from '../../../support/core.ts'

// Calls that fail when a test says so, and the descriptors that are open.
const { renameSync, fsyncSync, openHandles } = vi.hoisted(() => ({
  renameSync: vi.fn(),
  fsyncSync: vi.fn(),
  openHandles: new Set<number>(),
}))
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  renameSync.mockImplementation(fs.renameSync)
  fsyncSync.mockImplementation(fs.fsyncSync)
  const openSync = (...args: Parameters<typeof fs.openSync>) => {
    const handle = fs.openSync(...args)
    openHandles.add(handle)
    return handle
  }
  const closeSync = (handle: number) => {
    openHandles.delete(handle)
    fs.closeSync(handle)
  }
  return { ...fs, renameSync, fsyncSync, openSync, closeSync }
})

/** The next sync of a file fails, as on a full disk. */
function fillDisk(): void {
  fsyncSync.mockImplementationOnce(() => {
    throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  })
}

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'postern-roots-'))
  for (const method of ['error', 'warn', 'info', 'log'] as const) vi.spyOn(console, method).mockImplementation(() => {})
})
afterEach(() => {
  rmSync(data, { recursive: true, force: true })
  vi.restoreAllMocks()
})

const file = (name: string) => join(data, name)
const textOf = (name: string) => readFileSync(file(name), 'utf8').trim()
const keys = () => {
  const { rootKey, former } = readRootKeyFiles(data)
  return { current: base64url(rootKey.reveal()), former: former.map((key) => base64url(key.reveal())) }
}

describe('fileRoots', () => {
  it('leaves no descriptor open and no partial key behind when the disk is full', () => {
    writeFileSync(file('vaults.json'), JSON.stringify({ server: 'x', vaults: {}, mac: '' }))
    fillDisk()
    expect(() => readRootKeyFiles(data)).toThrow('no space left')
    expect([...openHandles]).toEqual([])
    expect(existsSync(file('root.key'))).toBe(false)
  })
})

describe('replaceRootFile', () => {
  it('leaves no descriptor open when the disk is full, and finishes when it is run again', () => {
    const before = keys().current
    fillDisk()
    expect(() => replaceRootKeyFile(data)).toThrow('no space left')
    expect([...openHandles]).toEqual([])
    expect(keys()).toEqual({ current: before, former: [] })
    replaceRootKeyFile(data)
    expect(keys().former).toEqual([before])
  })

  it('makes another key, keeps the one before beside it, and both for their owner only', () => {
    const before = keys().current
    const { rootKey, former } = replaceRootKeyFile(data)
    expect(keys()).toEqual({ current: base64url(rootKey.reveal()), former: [before] })
    expect(base64url(former.reveal())).toBe(before)
    expect(base64url(rootKey.reveal())).not.toBe(before)
    expect(readdirSync(data).sort()).toEqual(['root.former.key', 'root.key', 'vaults.json'])
    for (const name of readdirSync(data)) expect(statSync(file(name)).mode & 0o777).toBe(0o600)
  })

  it('overwrites no former key', () => {
    keys()
    replaceRootKeyFile(data)
    const before = keys()
    expect(refusalFrom(() => replaceRootKeyFile(data)).message).toContain('root.former.key exists already')
    expect(keys()).toEqual(before)
  })

  it('refuses where there is none, and one that others can read', () => {
    expect(refusalFrom(() => replaceRootKeyFile(data)).message).toContain('there is no root key to replace')
    keys()
    chmodSync(file('root.key'), 0o644)
    expect(refusalFrom(() => replaceRootKeyFile(data)).message).toContain('chmod 600')
    expect(readdirSync(data)).toEqual(['root.key', 'vaults.json'])
  })

  it('has the former key on the disk before the new one takes its place', () => {
    const before = keys().current
    renameSync.mockImplementationOnce(() => {
      throw new Error('crash')
    })
    expect(() => replaceRootKeyFile(data)).toThrow('crash')
    expect([textOf('root.key'), textOf('root.former.key')]).toEqual([before, before])
    replaceRootKeyFile(data)
    expect(keys().former).toEqual([before])
  })

  const fresh = base64url(randomBytes(32))
  it.each<[string, (before: string) => Record<string, string>]>([
    ['before the new key was written', () => ({ 'root.new.key': '' })],
    ['in the middle of the new key', () => ({ 'root.new.key': fresh.slice(0, 20) })],
    ['before the former one was copied', () => ({ 'root.new.key': fresh })],
    ['at the beginning of the copy', () => ({ 'root.new.key': fresh, 'root.former.key': '' })],
    ['in the middle of the copy', (before) => ({ 'root.new.key': fresh, 'root.former.key': before.slice(0, 20) })],
    ['before the new one took its place', (before) => ({ 'root.new.key': fresh, 'root.former.key': before })],
  ])('leaves the key unchanged when it was interrupted %s, and continues when it runs again', (_, left) => {
    const before = keys().current
    for (const [name, text] of Object.entries(left(before))) writeFileSync(file(name), text, { mode: 0o600 })
    expect(keys()).toEqual({ current: before, former: [] })
    const { rootKey } = replaceRootKeyFile(data)
    expect(keys()).toEqual({ current: base64url(rootKey.reveal()), former: [before] })
    if (left(before)['root.new.key'] === fresh) expect(textOf('root.key')).toBe(fresh)
    expect(existsSync(file('root.new.key'))).toBe(false)
  })
})

describe('checkRoots', () => {
  const [a, b, c] = Array.from({ length: 3 }, () => parseRootKey(base64url(randomBytes(32))))
  const ring = (key: typeof a, ...former: (typeof a)[]) =>
    Keyring.open(key!, { formerRootKeys: former.map((one) => one!) })

  /** Opens vaults as a server would, and closes them again. */
  async function serve(keyring: Keyring, ...vaults: string[]): Promise<void> {
    const settings = parseSettings({ environment: {} })
    const surroundings = { settings, keyring, registry: registryOf({ settings }, null), anchors: [] }
    // Vaults of several servers, which each had a list of its own.
    rmSync(file('vaults.json'), { force: true })
    const stores = new DataFolder(data, surroundings, await VaultList.open(data, keyring))
    for (const vault of vaults) await stores.open(vault, true)
    stores.close()
  }
  const rootsOf = (vault: string) => {
    const sql = openSqlite(file(`${vault}.sqlite`))
    const rows = sql.all<{ root: string }>('SELECT root FROM term ORDER BY number')
    sql.close()
    return rows.map(({ root }) => root)
  }

  it('has nothing against keys that are right, and counts who needs a former one', async () => {
    const [one, two] = [await ring(a), await ring(b, a)]
    expect(await checkRootKeys(data, one)).toEqual([])
    expect(await checkRootKeys(data, two)).toEqual([{ id: one.rootId, needed: 0, vaults: 0 }])
    await serve(one, 'x', 'y')
    expect(await checkRootKeys(data, one)).toEqual([])
    expect(await checkRootKeys(data, two)).toEqual([{ id: one.rootId, needed: 2, vaults: 2 }])
    await serve(two, 'x')
    expect(await checkRootKeys(data, two)).toEqual([{ id: one.rootId, needed: 2, vaults: 2 }])
    const sql = openSqlite(file('x.sqlite'))
    sql.all('UPDATE term SET done_at = 1')
    sql.close()
    expect(await checkRootKeys(data, two)).toEqual([{ id: one.rootId, needed: 1, vaults: 2 }])
  })

  it('names each vault that keys are wrong for, and touches none', async () => {
    await serve(await ring(a), 'x', 'y')
    await serve(await ring(b), 'z')
    const { code, message } = await rejectionOf(checkRootKeys(data, await ring(b)))
    expect(code).toBe('bad_request')
    expect(message).toContain('x.sqlite: Root key is not the one')
    expect(message).toContain('y.sqlite: Root key is not the one')
    expect(message).not.toContain('z.sqlite')
  })

  it('refuses keys that were given the wrong way round, before and after', async () => {
    const [one, two, swapped] = [await ring(a), await ring(b, a), await ring(a, b)]
    await serve(one, 'x')
    // Nothing would be replaced, and the operator would think so.
    const { message } = await rejectionOf(checkRootKeys(data, swapped))
    expect(message).toContain(`${two.rootId} belongs to no vault here. To replace ${one.rootId} by it`)
    await serve(two, 'x', 'later')
    expect(rootsOf('x')).toEqual([one.rootId, two.rootId])
    const refused = (await rejectionOf(checkRootKeys(data, swapped))).message
    expect(refused).toContain(`x.sqlite: Root key ${one.rootId} was replaced by ${two.rootId}`)
    expect(refused).toContain(`later.sqlite: Root key ${one.rootId} was replaced by ${two.rootId}`)
  })

  it('does not mind a former key that one vault of many was under, such as one that was restored', async () => {
    await serve(await ring(b), 'x')
    await serve(await ring(a), 'restored')
    expect(await checkRootKeys(data, await ring(b, a))).toMatchObject([{ needed: 1, vaults: 2 }])
    expect((await rejectionOf(checkRootKeys(data, await ring(b, a, c)))).message).toContain('belongs to no vault here')
  })

  it('reads a vault of an older schema, and leaves other files to the code that opens them', async () => {
    const [one, two] = [await ring(a), await ring(b)]
    const sql = openSqlite(file('old.sqlite'))
    migrate(sql, 1)
    sql.all('ALTER TABLE term DROP COLUMN root')
    sql.all("INSERT INTO meta VALUES ('root', ?)", one.rootId)
    sql.close()
    writeFileSync(file('none.sqlite'), 'no database at all, however one looks at it'.repeat(100))
    openSqlite(file('empty.sqlite')).close()
    expect(await checkRootKeys(data, one)).toEqual([])
    expect(await checkRootKeys(data, await ring(b, a))).toMatchObject([{ needed: 1, vaults: 1 }])
    expect((await rejectionOf(checkRootKeys(data, two))).message).toContain('old.sqlite: Root key is not the one')
  })
})
