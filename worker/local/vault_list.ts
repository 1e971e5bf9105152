/**
 * The vaults that were ever opened in a data folder: `vaults.json` beside them. Without the list, a vault whose file was
 * emptied, deleted or replaced would look like a new one.
 *
 * The list has a MAC under a key of the root key. It holds no secret, and guards against accidents only: who can delete it
 * can delete the vaults. A folder without a list gets one as its vaults are opened.
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
  /** The id of its store, which no other store has; `null` for a restored store that was not opened yet. */
  store: string | null
  /** The id of the root key that it was last opened with. */
  root: string
  /** The least number of entries in its log; `null` until it is opened for the first time. */
  size: number | null
}

interface Content {
  /** The id of the server, which tells its backups and requests from others' in a shared folder. */
  server: string
  vaults: Record<string, KnownVault>
}

/** The list of one data folder. Each use reads the file: a command may have changed it. */
export class VaultList {
  readonly #file: string
  readonly #root: string
  /** MAC keys of the given root keys, that of the current one first. */
  readonly #keys: readonly Bytes[]

  private constructor(file: string, root: string, keys: readonly Bytes[]) {
    this.#file = file
    this.#root = root
    this.#keys = keys
  }

  /**
   * Opens the list of a data folder, or makes an empty one.
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

  /** The id of the server. */
  get server(): string {
    return this.#read().server
  }

  /** The ids of all vaults. */
  get ids(): string[] {
    return Object.keys(this.#read().vaults)
  }

  /** The entry of a vault; `null` if it is not in the list. */
  find(vault: string): KnownVault | null {
    return this.#read().vaults[vault] ?? null
  }

  /** Adds a vault, or replaces its entry. */
  keep(vault: string, known: Omit<KnownVault, 'root'>): void {
    const content = this.#read()
    this.#write({ ...content, vaults: { ...content.vaults, [vault]: { ...known, root: this.#root } } })
  }

  /** Raises the sizes of logs, for vaults in the list. Writes nothing if none grew. */
  grow(sizes: ReadonlyMap<string, number>): void {
    const content = this.#read()
    const grown = [...sizes].filter(([vault, size]) => size > (content.vaults[vault]?.size ?? size))
    if (grown.length === 0) return
    const vaults = grown.map(([vault, size]) => [vault, { ...content.vaults[vault]!, size }] as const)
    this.#write({ ...content, vaults: { ...content.vaults, ...Object.fromEntries(vaults) } })
  }

  /** Removes a vault. */
  forget(vault: string): void {
    const content = this.#read()
    const vaults = Object.fromEntries(Object.entries(content.vaults).filter(([id]) => id !== vault))
    this.#write({ ...content, vaults })
  }

  #read(): Content {
    const content = parse(readFileSync(this.#file, 'utf8'))
    // An empty list needs no MAC: it is made before there is a key.
    if (content !== null && (Object.keys(content.vaults).length === 0 || this.#isOurs(content))) return content
    throw new PosternError(
      'bad_request',
      `${this.#file}: Must be as this server wrote it, under one of the root keys that are given. If the vaults beside it are the right ones, remove it: the server creates it again`,
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

/** Whether a data folder has a list, so that a server was started over it before. */
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

/** Whether a data folder has a list with vaults: then a missing root key must not be generated again. */
export function listsVaults(data: string): boolean {
  if (!hasVaultList(data)) return false
  const content = parse(readFileSync(fileIn(data), 'utf8'))
  return content === null || Object.keys(content.vaults).length > 0
}

/** Makes an empty list before a root key is made, so that a start killed in between does not look like a loss. */
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
  // A command that root runs must leave the list to the server's user.
  const [owner, { uid }] = [statSync(file, { throwIfNoEntry: false }), statSync(`${file}.new`)]
  if (owner !== undefined && owner.uid !== uid) chownSync(`${file}.new`, owner.uid, owner.gid)
  renameDurably(`${file}.new`, file)
}

function parse(text: string): (Content & { mac: string }) | null {
  try {
    const { server, vaults, mac } = JSON.parse(text)
    if (typeof server !== 'string' || typeof mac !== 'string' || typeof vaults !== 'object') return null
    // Without a prototype: a vault may be named `constructor`.
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
