/**
 * The one way to a server: what fails because of a certificate is told apart from a server that is down.
 *
 * @module
 */
import { PosternError } from '../../core/errors.ts'
import type { Platform } from '../platform/platform.ts'
import { ExtensionError } from '../shared/errors.ts'

/** A fetch for one vault of a server, and what was seen on the way. */
export interface Network {
  /** The last entry of the log that an answer named as its own; -1 before the first. */
  recorded: number
  fetch(request: Request): Promise<Response>
  /** Puts the reason in place of an error that only says that the server is down. */
  refine(error: unknown): unknown
}

export function networkTo(origin: string, platform: Pick<Platform, 'isCertificateFailure'>): Network {
  let isCertificate = false
  const network: Network = {
    recorded: -1,
    async fetch(request) {
      isCertificate = false
      try {
        const response = await fetch(request)
        const index = response.headers.get('Audit-Index') ?? ''
        // Strictly: what is no index must not silence the comparison with the log for good.
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
