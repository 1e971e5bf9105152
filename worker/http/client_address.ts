import { canonicalAddress, inRange, parseRange, type Range } from '../../core/addresses.ts'

/** What the connection tells of a request. The runtime's entry fills it in; no header is believed. */
export interface Connection {
  /** The client's address, or `null` when it cannot be told. */
  address: string | null
  /** On Workers: keeps the isolate alive until something is done that no answer waits for. */
  waitUntil?: (work: Promise<unknown>) => void
}

/** What the connection and its headers tell of where a request is from. All hostile but the socket. */
export interface Origin {
  /** The address at the other end of the connection; `null` on Workers, which tell none. */
  socket: string | null
  /** The `X-Forwarded-For` header. */
  forwarded: string | null
  /** The `CF-Connecting-IP` header. */
  cloudflare: string | null
}

/** How the client's address is chosen: by an operator's word, never by which headers there are. */
export interface AddressPolicy {
  clientAddress: 'socket' | 'forwarded' | 'cloudflare'
  trustedProxies: readonly Range[]
}

// A zone may be set to put a hash in place of an IPv6 address (240/4), and a Worker of another zone
// comes as one and the same address: neither is a client.
const NO_CLIENT = ['240.0.0.0/4', '2a06:98c0:3600::103'].map((range) => parseRange(range))

/**
 * The client's address in canonical form, or `null` when it cannot be told: no rule then permits by it.
 */
export function clientAddress(origin: Origin, { clientAddress, trustedProxies }: AddressPolicy): string | null {
  if (clientAddress === 'cloudflare') {
    const address = canonicalAddress(origin.cloudflare ?? '')
    return address !== null && NO_CLIENT.some((range) => inRange(address, range)) ? null : address
  }
  if (clientAddress === 'socket') return canonicalAddress(origin.socket ?? '')
  return rightmostUntrusted(origin, trustedProxies)
}

/** Whether a connection comes from a proxy that was named. */
export function isTrustedProxy(socket: string | null, trustedProxies: readonly Range[]): boolean {
  return socket !== null && trustedProxies.some((range) => inRange(socket, range))
}

/**
 * Each proxy appends whom it heard from, so only what trusted proxies wrote, from the right, can be
 * believed; the left part is the client's own invention.
 */
function rightmostUntrusted({ socket, forwarded }: Origin, trusted: readonly Range[]): string | null {
  const hops = [...(forwarded ?? '').split(',').map((hop) => hop.trim()), socket ?? '']
  for (const hop of hops.reverse()) {
    const address = canonicalAddress(hop)
    if (address === null || !trusted.some((range) => inRange(address, range))) return address
  }
  return null
}
