/**
 * How requests leave the server: to addresses of the operator, and to those of administrators of vaults.
 *
 * @module
 */
import type { Fetch, SendOptions } from '../core/http/send.ts'
import type { Settings } from '../core/settings/settings.ts'

/** What sends the requests of a server. */
export interface Sender {
  settings: Settings
  /** Replaces the fetch of the platform: with a proxy, and with the authorities of the operator. */
  fetch?: Fetch | undefined
  /** Makes the fetch of one provider with authorities of its own, where there are files. */
  trusting?: ((file: string, setting: string) => Fetch) | undefined
}

/** For URLs that the operator configured: anchors, witnesses, sinks and collectors of traces. */
export function toOperator({ settings, fetch }: Sender): SendOptions {
  return { allowLoopback: true, privateRanges: settings.providers.privateRanges, fetch }
}

/** For hooks, which the administrators of a vault configure. */
export function toHooks({ settings, fetch }: Sender): SendOptions {
  return { allowLoopback: settings.security.allowLoopbackHooks, fetch }
}

/** For issuers, which the administrators of a vault configure. */
export function toIssuers({ settings, fetch }: Sender): SendOptions {
  return { allowLoopback: settings.security.allowLoopbackIssuers, fetch }
}
