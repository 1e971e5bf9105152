/**
 * The address of a client, from the connection and the headers of proxies.
 *
 * @module
 */
import { canonicalAddress, inRange, parseRange, type Range } from '../../core/addresses.ts'

/** The connection of a request. The runtime's entry fills it in; the app trusts no header. */
export interface Connection {
  /** The client's address; `null` when it is unknown. */
  address: string | null
  /** Whether the client has gone, so that no answer can reach it; `undefined` where the runtime does not tell. */
  isGone?: () => boolean
  /** On Workers: keeps the isolate alive for work that the answer does not wait for. */
  waitUntil?: (work: Promise<unknown>) => void
}

/** Which source is used: the operator's setting decides, never the presence of a header. */
export interface AddressPolicy {
  clientAddress: 'socket' | 'forwarded' | 'rfc7239' | 'cloudflare'
  trustedProxies: readonly Range[]
}

// A zone may be configured to replace IPv6 addresses by hashes in 240.0.0.0/4, and all Workers of other zones share one
// address: neither identifies a client.
const NO_CLIENT = ['240.0.0.0/4', '2a06:98c0:3600::103'].map((range) => parseRange(range))

/**
 * The client's address in canonical form; `null` when it is unknown: then no rule permits by address.
 *
 * @param socket The address of the peer; `null` on Workers, which do not expose it.
 * @param headers Hostile input. Only the header that the policy names is read.
 */
export function clientAddress(
  socket: string | null,
  headers: Pick<Headers, 'get'>,
  { clientAddress, trustedProxies }: AddressPolicy,
): string | null {
  switch (clientAddress) {
    case 'socket':
      return canonicalAddress(socket ?? '')
    case 'cloudflare':
      return cloudflareAddress(headers.get('CF-Connecting-IP') ?? '')
    case 'forwarded':
      return rightmostUntrusted(socket, headers.get('X-Forwarded-For'), nodeAddress, trustedProxies)
    case 'rfc7239':
      return rightmostUntrusted(socket, headers.get('Forwarded'), forwardedFor, trustedProxies)
  }
}

/** Whether a connection comes from a trusted proxy. */
export function isTrustedProxy(socket: string | null, trustedProxies: readonly Range[]): boolean {
  return socket !== null && trustedProxies.some((range) => inRange(socket, range))
}

function cloudflareAddress(text: string): string | null {
  const address = canonicalAddress(text)
  return address !== null && NO_CLIENT.some((range) => inRange(address, range)) ? null : address
}

/**
 * Each proxy appends the address of its peer, so hops are trusted from the right, as far as trusted proxies wrote them.
 * The rest is written by the client.
 *
 * The header is split at every comma, also within quotes. A quote that a client leaves open therefore ends before the
 * part that a proxy appends, and an element with a comma in quotes is unreadable.
 */
function rightmostUntrusted(
  socket: string | null,
  header: string | null,
  read: (hop: string) => string | null,
  trusted: readonly Range[],
): string | null {
  const isTrusted = (address: string) => trusted.some((range) => inRange(address, range))
  const peer = canonicalAddress(socket ?? '')
  if (peer === null || !isTrusted(peer)) return peer
  for (const hop of (header ?? '').split(',').reverse()) {
    const address = read(hop.trim())
    if (address === null || !isTrusted(address)) return address
  }
  return null
}

const PORT = String.raw`(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?`
const IPV6_NODE = new RegExp(String.raw`^\[([0-9A-Fa-f:.]+)\]${PORT}$`)
const IPV4_NODE = new RegExp(String.raw`^([0-9.]+)${PORT}$`)

/**
 * The address of a node as proxies write it: with or without a port, brackets and quotes (RFC 7239 section 6). Returns
 * `null` for `unknown`, an obfuscated identifier such as `_hidden`, an address with a zone, and other text.
 */
function nodeAddress(text: string): string | null {
  const node = /^"(.*)"$/.exec(text)?.[1] ?? text
  // Without brackets, all of it is the address: `2001:db8::1:443` has no port.
  return canonicalAddress(IPV6_NODE.exec(node)?.[1] ?? IPV4_NODE.exec(node)?.[1] ?? node)
}

// Some proxies leave out the quotes that `:` and brackets require.
const PAIR = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[!#$%&'*+.^_`|~0-9A-Za-z:[\]-]+)$/

/**
 * The address in the only `for` of an element of `Forwarded` (RFC 7239 section 4). Returns `null` for an element that has
 * none, several, an unreadable one, or any malformed pair.
 */
function forwardedFor(element: string): string | null {
  const written = element.split(';').map((pair) => pair.trim())
  const pairs = written.filter((pair) => pair !== '').map((pair) => PAIR.exec(pair))
  const [node, ...others] = pairs.flatMap((pair) => (pair?.[1]?.toLowerCase() === 'for' ? [pair[2]!] : []))
  if (pairs.includes(null) || node === undefined || others.length > 0) return null
  return nodeAddress(node.startsWith('"') ? node.replaceAll(/\\(.)/g, '$1') : node)
}
