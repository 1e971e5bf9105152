/**
 * The one way to a server: what fails because of a certificate is told apart from a server that is down.
 *
 * @module
 */
import { PosternError } from '../core/errors.ts'
import { Hindrance } from './hindrance.ts'
import type { Platform } from './platform/platform.ts'

/** A fetch for one server, and the last reason why it failed. */
export interface Network {
  fetch(request: Request): Promise<Response>
  /** Puts the reason in place of an error that only says that the server is down. */
  refine(error: unknown): unknown
}

export function networkTo(origin: string, platform: Pick<Platform, 'isCertificateFailure'>): Network {
  let isCertificate = false
  return {
    async fetch(request) {
      isCertificate = false
      try {
        return await fetch(request)
      } catch (error) {
        isCertificate = platform.isCertificateFailure(error)
        throw error
      }
    },
    refine(error) {
      const isDown = error instanceof PosternError && error.code === 'unavailable'
      return isDown && isCertificate ? new Hindrance('certificate', new URL(origin).host) : error
    },
  }
}
