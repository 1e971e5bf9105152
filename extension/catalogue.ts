/**
 * Names and metadata of a vault's secrets, kept for a minute, in memory only.
 *
 * @module
 */
import type { UserClient } from '../core/client/user.ts'
import { NameIndex } from './text/names.ts'

/** What a list tells of a secret; never its value. */
export type Metadata = Awaited<ReturnType<UserClient['list']>>['items'][number]

const FRESH_MS = 60_000
// A server that is down is not asked by every keystroke.
const PAUSE_MS = 30_000
const PAGE = 200
// Pages may be short, where much may not be seen; a server that never ends is not asked forever.
const MAX_PAGES = 1000
/** As many names are kept; whoever has more searches by prefix. */
export const MAX_NAMES = 10_000

/** The names of one vault. */
export class Catalogue {
  readonly #list: UserClient['list']
  #loaded: { at: number; index: NameIndex<Metadata> } | null = null
  #loading: Promise<NameIndex<Metadata>> | null = null
  #failedAt = Number.NEGATIVE_INFINITY

  constructor(list: UserClient['list']) {
    this.#list = list
  }

  /** What is known now, however old; `null` before anything was loaded. */
  get known(): NameIndex<Metadata> | null {
    return this.#loaded?.index ?? null
  }

  /**
   * The names, from the server when they are older than a minute. All who ask at once share one answer.
   *
   * @throws {PosternError} when the server refuses or is down.
   */
  names(now = Date.now()): Promise<NameIndex<Metadata>> {
    if (this.#loaded && now - this.#loaded.at < FRESH_MS) return Promise.resolve(this.#loaded.index)
    this.#loading ??= this.#load().finally(() => {
      this.#loading = null
    })
    return this.#loading
  }

  /** The same for what nobody asked for, such as completion: old names, or none, rather than an error. */
  async namesQuietly(now = Date.now()): Promise<NameIndex<Metadata>> {
    const old = this.#loaded?.index ?? new NameIndex<Metadata>([])
    if (now - this.#failedAt < PAUSE_MS) return old
    return this.names(now).catch(() => {
      this.#failedAt = now
      return old
    })
  }

  /** Has the next one ask the server. */
  forget(): void {
    this.#loaded = null
    this.#failedAt = Number.NEGATIVE_INFINITY
  }

  async #load(): Promise<NameIndex<Metadata>> {
    const items: Metadata[] = []
    let cursor: string | undefined
    let pages = 0
    do {
      const page = await this.#list({ limit: PAGE, ...(cursor !== undefined && { cursor }) })
      items.push(...page.items)
      cursor = page.cursor
    } while (cursor !== undefined && items.length < MAX_NAMES && ++pages < MAX_PAGES)
    const index = new NameIndex(items)
    this.#loaded = { at: Date.now(), index }
    return index
  }
}
