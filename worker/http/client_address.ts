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

/** The sources of a client's address. All but the socket are hostile input. */
export interface AddressSources {
  /** The address of the peer; `null` on Workers, which do not expose it. */
  socket: string | null
  /** The `X-Forwarded-For` header. */
  forwarded: string | null
  /** The `CF-Connecting-IP` header. */
  cloudflare: string | null
}

/** Which source is used: the operator's setting decides, never the presence of a header. */
export interface AddressPolicy {
  clientAddress: 'socket' | 'forwarded' | 'cloudflare'
  trustedProxies: readonly Range[]
}

// A zone may be configured to replace IPv6 addresses by hashes in 240.0.0.0/4, and all Workers of other zones share one
// address: neither identifies a client.
const NO_CLIENT = ['240.0.0.0/4', '2a06:98c0:3600::103'].map((range) => parseRange(range))

/** The client's address in canonical form; `null` when it is unknown: then no rule permits by address. */
export function clientAddress(origin: AddressSources, { clientAddress, trustedProxies }: AddressPolicy): string | null {
  if (clientAddress === 'cloudflare') {
    const address = canonicalAddress(origin.cloudflare ?? '')
    return address !== null && NO_CLIENT.some((range) => inRange(address, range)) ? null : address
  }
  if (clientAddress === 'socket') return canonicalAddress(origin.socket ?? '')
  return rightmostUntrusted(origin, trustedProxies)
}

/** Whether a connection comes from a trusted proxy. */
export function isTrustedProxy(socket: string | null, trustedProxies: readonly Range[]): boolean {
  return socket !== null && trustedProxies.some((range) => inRange(socket, range))
}

/**
 * Each proxy appends the address of its peer, so entries are trusted from the right, as far as trusted proxies wrote
 * them. The rest is written by the client.
 */
function rightmostUntrusted({ socket, forwarded }: AddressSources, trusted: readonly Range[]): string | null {
  const hops = [...(forwarded ?? '').split(',').map((hop) => hop.trim()), socket ?? '']
  for (const hop of hops.reverse()) {
    const address = canonicalAddress(hop)
    if (address === null || !trusted.some((range) => inRange(address, range))) return address
  }
  return null
}
