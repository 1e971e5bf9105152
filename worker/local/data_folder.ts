/**
 * The data folder of a server: its vaults, one SQLite file each.
 *
 * @module
 */
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PosternError } from '../../core/errors.ts'
import { parseVaultId } from '../../core/names.ts'
import { logLine } from '../telemetry/log.ts'
import type { OpenVault, OpenVaultOptions } from '../vault_host/open_vault.ts'
import { watchRequests } from './backup_folder.ts'
import { isMade } from './known_vault.ts'
import { type OpenFiles, rememberFiles } from './open_files.ts'
import { messageOf, openServedVault, type ServedVault, VANISHED } from './served_vault.ts'
import type { VaultList } from './vault_list.ts'

/** The suffix of the files of vaults. */
export const VAULT_SUFFIX = '.sqlite'
/** How often the sizes of the logs are noted in the list of vaults. */
const NOTE_MS = 10_000

/** The file of a vault in a data folder. */
export function fileOfVault(data: string, id: string): string {
  return join(data, `${id}${VAULT_SUFFIX}`)
}

/** The ids of the vaults in a data folder, by the names of its files. */
export function vaultsIn(data: string): string[] {
  const files = readdirSync(data).filter((name) => name.endsWith(VAULT_SUFFIX))
  return files.map((name) => name.slice(0, -VAULT_SUFFIX.length))
}

/** The vaults of a data folder, opened when they are first used. */
export class DataFolder {
  readonly #data: string
  readonly #options: OpenVaultOptions
  readonly #list: VaultList
  readonly #folder: OpenFiles
  readonly #opening = new Map<string, Promise<ServedVault>>()
  readonly #opened = new Map<string, ServedVault>()
  readonly #notes: ReturnType<typeof setInterval>
  readonly #requests: { stop(): void } | null

  /** @param list The vaults that the folder had: a missing one is not created again. */
  constructor(data: string, options: OpenVaultOptions, list: VaultList) {
    this.#data = data
    this.#options = options
    this.#list = list
    this.#folder = rememberFiles(data)
    this.#notes = setInterval(() => this.#noteSizes(), NOTE_MS)
    this.#notes.unref()
    const { folder } = options.settings.backup
    this.#requests = folder === undefined ? null : watchRequests(resolve(folder), list.server, () => this.#backUpAll())
  }

  /**
   * Opens a vault, once.
   *
   * @returns `null` when it does not exist and `create` is not set.
   * @throws {PosternError} `unavailable`, with the path of the file: for the operator, not for a client.
   */
  async open(id: string, create: boolean): Promise<OpenVault | null> {
    const known = this.#opening.get(id)
    if (known !== undefined) return known
    if (!this.#folder.isIntact()) throw new PosternError('unavailable', `${this.#data}: ${VANISHED}`)
    const file = fileOfVault(this.#data, id)
    if (!create && !existsSync(file) && !isMade(this.#list.find(id))) return null
    // In the map before anything is awaited: a second caller meanwhile waits for the same.
    const opening = openServedVault(file, id, this.#options, this.#list)
    this.#opening.set(id, opening)
    try {
      this.#opened.set(id, await opening)
      return await opening
    } catch (error) {
      this.#opening.delete(id)
      throw error
    }
  }

  /** Opens all vaults that exist, for their jobs. One that cannot be opened is logged. */
  async openAll(): Promise<void> {
    const listed = this.#list.ids.filter((id) => isMade(this.#list.find(id)))
    for (const id of new Set([...vaultsIn(this.#data), ...listed])) {
      try {
        await this.open(parseVaultId(id), false)
      } catch (error) {
        logLine('error', 'vault_unavailable', { vault: id, message: messageOf(error) })
      }
    }
  }

  /** The vaults that are open. */
  opened(): Iterable<OpenVault> {
    return this.#opened.values()
  }

  /** Whether the disk can be written now. */
  ready(): boolean {
    try {
      const all = [...this.#opened.values()]
      // One vault writes: they share a disk, and the caller needs no token.
      for (const { vault } of all.slice(0, 1)) vault.probe(Date.now())
      return all.every((file) => file.isIntact())
    } catch {
      return false
    }
  }

  /** Closes all vaults. */
  close(): void {
    this.#requests?.stop()
    clearInterval(this.#notes)
    this.#noteSizes()
    for (const { close } of this.#opened.values()) close()
    this.#opened.clear()
    this.#opening.clear()
  }

  #backUpAll(): void {
    for (const { backUp } of this.#opened.values()) backUp()
  }

  #noteSizes(): void {
    const intact = [...this.#opened].filter(([, file]) => file.isIntact())
    if (!this.#folder.isIntact()) return
    // Sizes that cannot be noted now are noted the next time: the list only ever has less than the logs.
    try {
      this.#list.grow(new Map(intact.map(([id, file]) => [id, file.size()])))
    } catch {}
  }
}
