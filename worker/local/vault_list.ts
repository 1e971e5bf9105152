/**
 * The vaults that were ever opened in a data folder: `vaults.json` beside them. Without it a vault whose file was emptied,
 * deleted or replaced would look like one that never was.
 *
 * The list has a MAC under a key of the root key. It has no secret, and whoever can delete it can delete the vaults: it is
 * there against accidents. A folder that has none gets one as its vaults are opened.
 *
 * @module
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { chownSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Bytes, base64url, hex, randomBytes } from '../../core/bytes.ts'
import type { Keyring } from '../../core/crypto/keyring.ts'
import { PosternError } from '../../core/errors.ts'
import { renameDurably, writeDurably } from './durable_file.ts'

const FILE = 'vaults.json'

/** A vault of the list. */
export interface KnownVault {
  /** The id in its store, which no other store has; `null` for one that was restored and is not opened yet. */
  store: string | null
  /** The root key that it was last opened with, by its id. */
  root: string
  /** The number of entries that its log has at least; `null` until it was opened for the first time. */
  size: number | null
}

interface Content {
  /** Tells this data folder from others in a folder that they share. */
  server: string
  vaults: Record<string, KnownVault>
}

/** The list of one data folder. It is read anew each time: a command may have changed it. */
export class VaultList {
  readonly #file: string
  readonly #root: string
  /** MAC keys of the root keys that are given, the current one first. */
  readonly #keys: readonly Bytes[]

  private constructor(file: string, root: string, keys: readonly Bytes[]) {
    this.#file = file
    this.#root = root
    this.#keys = keys
  }

  /**
   * Opens the list of a data folder, and makes it when there is none.
   *
   * @throws {PosternError} `bad_request` when it was made under another root key, or edited.
   */
  static async open(data: string, keyring: Keyring): Promise<VaultList> {
    const keys = await Promise.all(keyring.all.map((ring) => ring.macKey('', 'vaults')))
    const list = new VaultList(fileIn(data), keyring.rootId, keys)
    if (existsSync(list.#file)) list.#read()
    else list.#write(emptyList())
    return list
  }

  get server(): string {
    return this.#read().server
  }

  get ids(): string[] {
    return Object.keys(this.#read().vaults)
  }

  find(vault: string): KnownVault | null {
    return this.#read().vaults[vault] ?? null
  }

  /** Adds a vault, or replaces what is known of it. */
  keep(vault: string, known: Omit<KnownVault, 'root'>): void {
    const content = this.#read()
    this.#write({ ...content, vaults: { ...content.vaults, [vault]: { ...known, root: this.#root } } })
  }

  /** Notes how far logs have come, of vaults that are in the list. Writes nothing when it knew of as much. */
  grow(sizes: ReadonlyMap<string, number>): void {
    const content = this.#read()
    const grown = [...sizes].filter(([vault, size]) => size > (content.vaults[vault]?.size ?? size))
    if (grown.length === 0) return
    const vaults = grown.map(([vault, size]) => [vault, { ...content.vaults[vault]!, size }] as const)
    this.#write({ ...content, vaults: { ...content.vaults, ...Object.fromEntries(vaults) } })
  }

  forget(vault: string): void {
    const content = this.#read()
    const vaults = Object.fromEntries(Object.entries(content.vaults).filter(([id]) => id !== vault))
    this.#write({ ...content, vaults })
  }

  #read(): Content {
    const content = parse(readFileSync(this.#file, 'utf8'))
    // An empty list needs no key: it is made before there is one.
    if (content !== null && (Object.keys(content.vaults).length === 0 || this.#isOurs(content))) return content
    throw new PosternError(
      'bad_request',
      `${this.#file}: Must be as this server wrote it, under one of the root keys that are given. If the vaults beside it are the right ones, remove it: it is made anew`,
    )
  }

  #isOurs({ mac, ...content }: Content & { mac: string }): boolean {
    const given = Buffer.from(mac)
    return this.#keys.some((key) => {
      const wanted = Buffer.from(macOf(content, key))
      return given.length === wanted.length && timingSafeEqual(given, wanted)
    })
  }

  #write(content: Content): void {
    writeList(this.#file, { ...content, mac: macOf(content, this.#keys[0]!) })
  }
}

/** Whether a data folder has a list, and so its first start behind it. */
export function hasVaultList(data: string): boolean {
  return existsSync(fileIn(data))
}

/**
 * The id of the server over a data folder.
 *
 * @throws {PosternError} `unavailable` when no server was started there.
 */
export function serverOf(data: string): string {
  const content = hasVaultList(data) ? parse(readFileSync(fileIn(data), 'utf8')) : null
  if (content !== null) return content.server
  throw new PosternError('unavailable', `POSTERN_DATA: No server was started over ${data}`)
}

/** Whether a data folder has a list with vaults in it: then a root key that is missing is not to be made. */
export function listsVaults(data: string): boolean {
  if (!hasVaultList(data)) return false
  const content = parse(readFileSync(fileIn(data), 'utf8'))
  return content === null || Object.keys(content.vaults).length > 0
}

/** Makes an empty list, before a root key is made: what is killed between the two is not taken for a loss. */
export function beginVaultList(data: string): void {
  if (!hasVaultList(data)) writeList(fileIn(data), { ...emptyList(), mac: '' })
}

function fileIn(data: string): string {
  return join(data, FILE)
}

function emptyList(): Content {
  return { server: hex(randomBytes(8)), vaults: {} }
}

function writeList(file: string, content: Content & { mac: string }): void {
  writeDurably(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`)
  // A command that the superuser runs must not take the list away from the server's user.
  const [owner, { uid }] = [statSync(file, { throwIfNoEntry: false }), statSync(`${file}.new`)]
  if (owner !== undefined && owner.uid !== uid) chownSync(`${file}.new`, owner.uid, owner.gid)
  renameDurably(`${file}.new`, file)
}

function parse(text: string): (Content & { mac: string }) | null {
  try {
    const { server, vaults, mac } = JSON.parse(text)
    if (typeof server !== 'string' || typeof mac !== 'string' || typeof vaults !== 'object') return null
    // Without a prototype: a vault may be called `constructor`.
    return { server, vaults: Object.assign(Object.create(null), vaults), mac }
  } catch {
    return null
  }
}

function macOf({ server, vaults }: Content, key: Bytes): string {
  const rows = Object.keys(vaults)
    .sort()
    .map((id) => [id, vaults[id]!.store, vaults[id]!.root, vaults[id]!.size])
  return base64url(
    new Uint8Array(
      createHmac('sha256', key)
        .update(JSON.stringify([server, rows]))
        .digest(),
    ),
  )
}
