/**
 * The connection to a server. It distinguishes a certificate failure from a server that is down.
 *
 * @module
 */
import { PosternError } from '../../core/errors.ts'
import type { Platform } from '../platform/platform.ts'
import { ExtensionError } from '../shared/errors.ts'

/** The connection of one vault, and the facts that its responses revealed. */
export interface Network {
  /** The highest log index that a response gave for its own entry, or -1 before the first. */
  recorded: number
  fetch(request: Request): Promise<Response>
  /** Replaces an error that only reports a server as down, if the reason is known to be its certificate. */
  refine(error: unknown): unknown
}

/** Creates the connection to an origin. */
export function networkTo(origin: string, platform: Pick<Platform, 'isCertificateFailure'>): Network {
  let isCertificate = false
  const network: Network = {
    recorded: -1,
    async fetch(request) {
      isCertificate = false
      try {
        const response = await fetch(request)
        const index = response.headers.get('Audit-Index') ?? ''
        // Strict, because an invalid index must not disable the comparison with the log for good.
        if (/^\d{1,15}$/.test(index)) network.recorded = Math.max(network.recorded, Number(index))
        return response
      } catch (error) {
        isCertificate = platform.isCertificateFailure(error)
        throw error
      }
    },
    refine(error) {
      const isDown = error instanceof PosternError && error.code === 'unavailable'
      return isDown && isCertificate ? new ExtensionError('certificate', new URL(origin).host) : error
    },
  }
  return network
}
