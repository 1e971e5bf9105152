/**
 * A line of the operational log while a trusted proxy sends no client address that can be read.
 *
 * @module
 */
import type { Settings } from '../../core/settings/settings.ts'
import { isTrustedProxy } from '../http/client_address.ts'
import { logLine } from '../telemetry/log.ts'

/** The shortest time between two lines, in milliseconds. Strangers choose how often they come. */
const REPORT_MS = 60_000
const HEADERS = { forwarded: 'X-Forwarded-For', rfc7239: 'Forwarded' } as const

/**
 * Returns a function that reports clients of unknown address, at most once a minute. The header's text is left out, since
 * the client may have written it.
 */
export function reportUnknownClients({
  clientAddress,
  trustedProxies,
}: Pick<Settings, 'clientAddress' | 'trustedProxies'>): (socket: string | null, headers: Headers) => void {
  if (clientAddress !== 'forwarded' && clientAddress !== 'rfc7239') return () => {}
  const header = HEADERS[clientAddress]
  let reportedAt = Number.NEGATIVE_INFINITY
  return (socket, headers) => {
    // Health checks of a proxy have no header.
    if (!headers.has(header) || !isTrustedProxy(socket, trustedProxies)) return
    const now = performance.now()
    if (now - reportedAt < REPORT_MS) return
    reportedAt = now
    const message = `The ${header} of this proxy has no client address that can be read. No rule permits such clients by address, and all of them share one refusal rate`
    logLine('warn', 'client_address_unknown', { proxy: socket, header, message })
  }
}
