/**
 * Names and metadata of a vault's secrets, kept for a minute, in memory only.
 *
 * @module
 */
import type { UserClient } from '../../core/client/user.ts'
import { NameIndex } from '../../core/text/names.ts'

/** What a list tells of a secret; never its value. */
export type SecretMetadata = Awaited<ReturnType<UserClient['list']>>['items'][number]

const FRESH_MS = 60_000
// A server that is down is not asked by every keystroke.
const PAUSE_MS = 30_000
const PAGE = 200
// Pages may be short, where much may not be seen; a server that never ends is not asked forever.
const MAX_PAGES = 1000
/** As many names are kept; whoever has more searches by prefix. */
export const MAX_NAMES = 10_000

/** The names of one vault. */
export class SecretList {
  readonly #list: UserClient['list']
  readonly #onDidLoad: () => void
  #loaded: { at: number; index: NameIndex<SecretMetadata> } | null = null
  #loading: Promise<NameIndex<SecretMetadata>> | null = null
  #loads = 0
  #failedAt = Number.NEGATIVE_INFINITY

  /** @param onDidLoad Called whenever the server has given the names. */
  constructor(list: UserClient['list'], onDidLoad: () => void = () => {}) {
    this.#list = list
    this.#onDidLoad = onDidLoad
  }

  /** What is known now, however old; `null` before anything was loaded. */
  get known(): NameIndex<SecretMetadata> | null {
    return this.#loaded?.index ?? null
  }

  /**
   * The names, from the server when they are older than a minute. All who ask at once share one answer.
   *
   * @throws {PosternError} when the server refuses or is down.
   */
  names(now = Date.now()): Promise<NameIndex<SecretMetadata>> {
    if (this.#loaded && now - this.#loaded.at < FRESH_MS) return Promise.resolve(this.#loaded.index)
    this.#loading ??= this.#load()
    return this.#loading
  }

  /** The same for what nobody asked for, such as completion: old names, or none, rather than an error. */
  async namesQuietly(now = Date.now()): Promise<NameIndex<SecretMetadata>> {
    const old = this.#loaded?.index ?? new NameIndex<SecretMetadata>([])
    if (now - this.#failedAt < PAUSE_MS) return old
    return this.names(now).catch(() => {
      this.#failedAt = now
      return old
    })
  }

  /** Has the next one ask the server, whoever is asking already. What is known stays known until the answer. */
  forget(): void {
    if (this.#loaded) this.#loaded.at = Number.NEGATIVE_INFINITY
    this.#loading = null
    this.#loads++
    this.#failedAt = Number.NEGATIVE_INFINITY
  }

  async #load(): Promise<NameIndex<SecretMetadata>> {
    const load = ++this.#loads
    try {
      const index = await this.#ask()
      if (load === this.#loads) {
        this.#loaded = { at: Date.now(), index }
        this.#onDidLoad()
      }
      return index
    } finally {
      if (load === this.#loads) this.#loading = null
    }
  }

  async #ask(): Promise<NameIndex<SecretMetadata>> {
    const items: SecretMetadata[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const page = await this.#list({ limit: PAGE, ...(cursor !== undefined && { cursor }) })
      items.push(...page.items)
      cursor = page.cursor
    } while (cursor !== undefined && items.length < MAX_NAMES && ++pages < MAX_PAGES)
    return new NameIndex(items)
  }
}
