/**
 * Detection of the version of the KV engine. The two versions respond differently at the same path: a secret of version
 * 1 is absent at the path of version 2, and a write there makes a second secret.
 *
 * @module
 */

import type { ReportEvent } from '../condition.ts'
import { ProviderFailure } from '../provider.ts'
import { failureOf } from '../request.ts'
import { OTHER_ENGINE } from './api.ts'

/** The version of the KV secrets engine. */
export type KvVersion = 1 | 2

/** How long the detected version is trusted when a secret is not found or is about to be written. */
const FRESH_MS = 60_000

interface EngineOptions {
  /** The configured version; undefined to detect it. */
  configured: KvVersion | undefined
  /** Asks the server. @throws {ProviderFailure} */
  look(signal: AbortSignal): Promise<KvVersion>
  now(): number
  report: ReportEvent | undefined
}

/** The version of a mount: configured or detected, and checked again after a response of the wrong form. */
export class KvEngine {
  readonly #options: EngineOptions
  #known: KvVersion | null
  #lookedAt = Number.NEGATIVE_INFINITY
  /** Whether the server has another version than the settings. */
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
   * Writes with the API of the mounted version, which is detected first.
   *
   * @throws {ProviderFailure} `invalid` if the settings name another version: nothing was sent.
   */
  async write<T>(signal: AbortSignal, work: (version: KvVersion) => Promise<T>): Promise<T> {
    return this.read(signal, async () => {
      const version = this.#known !== null && this.#isFresh() ? this.#known : await this.#look(signal)
      if (this.#isMisconfigured) throw new ProviderFailure('invalid', { code: 'KvVersion' })
      return work(version)
    })
  }

  /** A write of version 2 got a response of version 1: it made a second secret beside the intended one. */
  strayed(): ProviderFailure {
    this.#lookedAt = Number.NEGATIVE_INFINITY
    this.#report(this.#known, 1)
    return new ProviderFailure('invalid', { code: 'KvVersion', isUnread: true })
  }

  #isFresh(): boolean {
    return this.#options.now() - this.#lookedAt < FRESH_MS
  }

  /** Detects the version. Without the right to do so, the settings decide. */
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
      ...{ code: 'KvVersion', setting: 'kvVersion', configured, found },
    })
  }
}
