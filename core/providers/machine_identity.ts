/**
 * Identities that a platform gives to a machine, a container or a pod. A service at a link-local address or on the
 * machine itself hands out short-lived credentials for them.
 *
 * The guard against private addresses opens for the origin of that service alone, and only where a setting names it.
 *
 * @module
 */
import { badRequest } from '../errors.ts'
import { checkUrl, hostOf, isLinkLocal } from '../http/address_guard.ts'
import type { Received } from '../http/send.ts'
import { isLoopback } from '../loopback.ts'
import { ProviderFailure } from './provider.ts'
import { ask, type ProviderOptions } from './request.ts'

/**
 * Checks the URL of an identity service.
 *
 * @param field The setting that has it, or that relies on it.
 * @param variable The variable of the platform that has it, if no setting does.
 * @returns The origin that requests may go to.
 * @throws {PosternError} `bad_request` unless it is https on the public internet, or http at a link-local address or on
 *   this machine.
 */
export function identityOrigin(url: string, field: string, variable?: string): string {
  const refused = (message: string) => badRequest(field, variable === undefined ? message : `${variable}: ${message}`)
  const parsed = URL.parse(url)
  if (parsed === null || parsed.username || parsed.password) throw refused('Must be a URL')
  const host = hostOf(parsed)
  const isLocal = isLoopback(host) || isLinkLocal(host)
  if (parsed.protocol === 'http:' && isLocal) return parsed.origin
  try {
    checkUrl(url)
  } catch {
    throw refused('Must be https, or http at a link-local address or on this machine')
  }
  return parsed.origin
}

/**
 * Sends a request to an identity service.
 *
 * @throws {ProviderFailure} `credentials` if it refuses: nothing but the configuration of the platform can help;
 *   `throttled`, `timeout`, `unavailable`.
 */
export async function askIdentity(url: string, init: RequestInit, options: ProviderOptions): Promise<Received> {
  const received = await ask(url, init, { ...options, identityOrigin: new URL(url).origin })
  const { status } = received
  if (status === 200) return received
  if (status === 429) throw new ProviderFailure('throttled', { code: `Http${status}` })
  // 410: the service is about to be updated (Azure).
  const isOutage = status >= 500 || status === 408 || status === 410
  throw new ProviderFailure(isOutage ? 'unavailable' : 'credentials', { code: `Http${status}` })
}
