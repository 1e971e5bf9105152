/**
 * The names and metadata of a vault's secrets, cached for a minute and only in memory.
 *
 * @module
 */
import type { UserClient } from '../../core/client/user.ts'
import { NameIndex } from '../../core/text/names.ts'

/** The metadata of a secret in a list. It never contains the value. */
export type SecretMetadata = Awaited<ReturnType<UserClient['list']>>['items'][number]

const FRESH_MS = 60_000
// After a failure, requests pause, so that not every keystroke sends one to a server that is down.
const PAUSE_MS = 30_000
const PAGE = 200
// Pages may be short, because the server leaves out secrets that the caller may not list. The limit stops a list without end.
const MAX_PAGES = 1000
/** The largest number of names that are kept. A larger vault needs a search by prefix. */
export const MAX_NAMES = 10_000

/** The list of the secrets of one vault. */
export class SecretList {
  readonly #list: UserClient['list']
  readonly #onDidLoad: () => void
  #loaded: { at: number; index: NameIndex<SecretMetadata> } | null = null
  #loading: Promise<NameIndex<SecretMetadata>> | null = null
  #loads = 0
  #failedAt = Number.NEGATIVE_INFINITY

  /** @param onDidLoad Called each time the server has returned the names. */
  constructor(list: UserClient['list'], onDidLoad: () => void = () => {}) {
    this.#list = list
    this.#onDidLoad = onDidLoad
  }

  /** The names that were loaded last, of any age, or `null` before the first load. */
  get known(): NameIndex<SecretMetadata> | null {
    return this.#loaded?.index ?? null
  }

  /**
   * Returns the names, and loads them if they are older than a minute. Concurrent callers share one load.
   *
   * @throws {PosternError} if the server refuses or is down.
   */
  names(now = Date.now()): Promise<NameIndex<SecretMetadata>> {
    if (this.#loaded && now - this.#loaded.at < FRESH_MS) return Promise.resolve(this.#loaded.index)
    this.#loading ??= this.#load()
    return this.#loading
  }

  /** Returns the names for a background feature, such as completion. After a failure it returns old names or an empty index. */
  async namesQuietly(now = Date.now()): Promise<NameIndex<SecretMetadata>> {
    const old = this.#loaded?.index ?? new NameIndex<SecretMetadata>([])
    if (now - this.#failedAt < PAUSE_MS) return old
    return this.names(now).catch(() => {
      this.#failedAt = now
      return old
    })
  }

  /** Makes the next caller load the names, even if a load has started. The known names stay until the server answers. */
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
