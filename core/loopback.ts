/**
 * Telling this machine from every other by the name of a host.
 *
 * @module
 */

const NAMES: readonly string[] = ['localhost', '127.0.0.1', '::1']

/**
 * Whether a host is this machine alone.
 *
 * @param host A name or an address, as a server is told to listen on.
 */
export function isLoopback(host: string): boolean {
  return NAMES.includes(host)
}

/**
 * Whether the host of a URL is this machine alone.
 *
 * @param hostname The `hostname` of a URL, which has an IPv6 address in brackets.
 */
export function isLoopbackHostname(hostname: string): boolean {
  return isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))
}
