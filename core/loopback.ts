/**
 * Telling this machine from every other by the name of a host.
 *
 * @module
 */

const NAMES: readonly string[] = ['localhost', '127.0.0.1', '::1', '[::1]']

/**
 * Whether a host is this machine alone.
 *
 * @param host A name or an address, an IPv6 address also in the brackets that it has in a URL.
 */
export function isLoopback(host: string): boolean {
  return NAMES.includes(host)
}
