/**
 * Telling this machine from every other by the name of a host.
 *
 * @module
 */

/** Names and addresses in the form that WHATWG URL and `canonicalAddress` write them. */
const LOOPBACK = /^(?:localhost|::1|127(?:\.[0-9]{1,3}){3})$/

/**
 * Whether a host is this machine alone: `localhost` (RFC 6761 section 6.3), 127.0.0.0/8 or `::1`.
 *
 * @param host A name in lower case without a trailing dot, or a canonical address.
 */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}

/**
 * Whether the host of a URL is this machine alone.
 *
 * @param hostname The `hostname` of a URL, which has an IPv6 address in brackets.
 */
export function isLoopbackHostname(hostname: string): boolean {
  return isLoopback(hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, ''))
}

/** Writes a host as a URL has it: an IPv6 address in brackets (RFC 3986 section 3.2.2). */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host.replace('%', '%25')}]` : host
}
