import { canonicalAddress, inRange, type Range } from '../core/access/cidr.ts'

/**
 * The client's address behind trusted proxies: the right-most hop that is not one of them.
 *
 * Each proxy appends whom it heard from, so only what trusted proxies wrote, from the right, can be
 * believed; the left part is the client's own invention. Without trusted proxies the header is
 * ignored altogether.
 *
 * @param socket The address at the other end of the connection.
 * @param forwarded The `X-Forwarded-For` header. Hostile input.
 * @returns `null` when it cannot be told.
 */
export function clientAddress(
  socket: string | null,
  forwarded: string | null,
  trusted: readonly Range[],
): string | null {
  const hops = [...(forwarded ?? '').split(',').map((hop) => hop.trim()), socket ?? '']
  for (const hop of hops.reverse()) {
    const address = canonicalAddress(hop)
    if (address === null || !trusted.some((range) => inRange(address, range))) return address
  }
  return null
}
