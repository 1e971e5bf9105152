/**
 * Which version of the KV engine is mounted. The two answer one path with different things: of a secret of version 1,
 * version 2's path is absent, and a write to that path makes another secret beside it.
 *
 * @module
 */

import type { ReportEvent } from '../condition.ts'
import { ProviderFailure } from '../provider.ts'
import { failureOf } from '../request.ts'
import { OTHER_ENGINE } from './api.ts'

/** The version of the KV secrets engine. */
export type KvVersion = 1 | 2

/** How long an answer of the server about its mount is believed when a secret is not found, or is about to be written. */
const FRESH_MS = 60_000
const SETTING = 'POSTERN_PROVIDERS__HASHICORP_KV_VERSION'

interface EngineOptions {
  /** What the settings say; undefined to ask the server. */
  configured: KvVersion | undefined
  /** Asks the server. @throws {ProviderFailure} */
  look(signal: AbortSignal): Promise<KvVersion>
  now(): number
  report: ReportEvent | undefined
}

/** The version of a mount: configured or asked for, and doubted when an answer is not of its form. */
export class KvEngine {
  readonly #options: EngineOptions
  #known: KvVersion | null
  #lookedAt = Number.NEGATIVE_INFINITY
  /** Whether the server says another version than the settings. */
  #isMisconfigured = false

  constructor(options: EngineOptions) {
    this.#options = options
    this.#known = options.configured ?? null
  }

  /**
   * Reads with the API of the mounted version. A secret counts as not found only if the server was recently asked about
   * the mount, where the policy allows it.
   *
   * @throws {ProviderFailure}
   */
  async read<T>(signal: AbortSignal, work: (version: KvVersion) => Promise<T>): Promise<T> {
    const version = this.#known ?? (await this.#look(signal))
    try {
      return await work(version)
    } catch (error) {
      const { kind, code } = failureOf(error)
      const isDoubtful = code === OTHER_ENGINE || (kind === 'not_found' && !this.#isFresh())
      const again = isDoubtful ? await this.#look(signal) : version
      if (again === version) throw error
      return work(again)
    }
  }

  /**
   * Writes by the version that is mounted, which the server is asked for first.
   *
   * @throws {ProviderFailure} `invalid` when the settings say another one: nothing was sent.
   */
  async write<T>(signal: AbortSignal, work: (version: KvVersion) => Promise<T>): Promise<T> {
    return this.read(signal, async () => {
      const version = this.#known !== null && this.#isFresh() ? this.#known : await this.#look(signal)
      if (this.#isMisconfigured) throw new ProviderFailure('invalid', { code: 'KvVersion' })
      return work(version)
    })
  }

  /** A write of version 2 was answered as version 1 does: it made a secret beside the one that was meant. */
  strayed(): ProviderFailure {
    this.#lookedAt = Number.NEGATIVE_INFINITY
    this.#report(this.#known, 1)
    return new ProviderFailure('invalid', { code: 'KvVersion', isUnread: true })
  }

  #isFresh(): boolean {
    return this.#options.now() - this.#lookedAt < FRESH_MS
  }

  /** Asks the server; what the settings say stands where we may not. */
  async #look(signal: AbortSignal): Promise<KvVersion> {
    const { configured, look, now } = this.#options
    let found: KvVersion
    try {
      found = await look(signal)
    } catch (error) {
      if (failureOf(error).isOutage || configured === undefined) throw error
      found = this.#known ?? configured
    }
    this.#lookedAt = now()
    this.#known = found
    const isMisconfigured = configured !== undefined && found !== configured
    if (isMisconfigured && !this.#isMisconfigured) this.#report(configured, found)
    this.#isMisconfigured = isMisconfigured
    return found
  }

  #report(configured: KvVersion | null, found: KvVersion): void {
    this.#options.report?.('warn', 'provider_misconfigured', {
      ...{ provider: 'hashicorp', code: 'KvVersion', setting: SETTING },
      ...{ configured, found },
    })
  }
}
