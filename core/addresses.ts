/**
 * Addresses and ranges, strictly. `ipaddr.js` knows the formats; the rules on top are ours: one
 * spelling for an address, and no range that means something else than it says.
 *
 * @module
 */
import ipaddr from 'ipaddr.js'
import { LRUCache } from 'lru-cache'
import { badRequest } from './errors.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** A range of addresses, parsed. */
export interface Range {
  address: Address
  prefix: number
}

// The well-known NAT64 prefix (RFC 6052 section 2.1). The address behind it is an IPv4 client.
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96')

/**
 * Parses an address. IPv4 that is mapped into IPv6, or behind NAT64, becomes that IPv4.
 *
 * @param text Hostile input.
 * @returns `null` for shorthand (`127.1`), leading zeros, zone ids, the deprecated `::a.b.c.d`, and text that is not an
 *   address.
 */
export function parseAddress(text: string): Address | null {
  const literal = parseLiteral(text)
  if (literal === null || literal instanceof ipaddr.IPv4) return literal
  if (literal.isIPv4MappedAddress()) return literal.toIPv4Address()
  if (literal.match(NAT64)) return new ipaddr.IPv4(literal.toByteArray().slice(12))
  return literal
}

/** Parses an address as it is written. */
function parseLiteral(text: string): Address | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text)
  if (!/^[0-9A-Fa-f:.]{2,45}$/.test(text) || !ipaddr.IPv6.isValid(text)) return null
  const [, head = '', dotted] = /^(.*:)([0-9.]*\..*)$/.exec(text) ?? []
  // The library is lenient about the IPv4 at the end, and reads ::1.2.3.4 as ::ffff:1.2.3.4.
  if (dotted !== undefined && (head === '::' || !ipaddr.IPv4.isValidFourPartDecimal(dotted))) return null
  return ipaddr.IPv6.parse(text)
}

/** Writes an address in its canonical form (RFC 5952). Returns `null` if the text is not an address. */
export function canonicalAddress(text: string): string | null {
  return parseAddress(text)?.toString() ?? null
}

/**
 * The network by which requests are counted: an IPv4 address itself, an IPv6 address by its /64, since the holder of
 * one address in a /64 has all of them.
 *
 * @param text An address, or `null` if it is unknown: all unknown addresses share one count.
 */
export function sourceOf(text: string | null): string {
  if (text === null) return 'unknown'
  const known = sources.get(text) ?? networkOf(text)
  sources.set(text, known)
  return known
}

// Clients keep their address for a while. The cache is bounded, because an IPv6 network has any number of addresses.
const sources = new LRUCache<string, string>({ max: 1000 })

function networkOf(text: string): string {
  const address = parseAddress(text)
  if (address === null) return 'unknown'
  return address.kind() === 'ipv4' ? address.toString() : `${network(address, 64).toString()}/64`
}

/**
 * Parses a range such as `192.168.0.0/16`, or a single address.
 *
 * @throws {PosternError} `bad_request` if it is not a range, or has host bits set, as in `192.168.1.0/16`: the message
 *   then names the range that was probably meant.
 */
export function parseRange(text: string, field = 'range'): Range {
  const [base = '', bits, ...rest] = text.split('/')
  const address = parseAddress(base)
  // ::ffff:10.0.0.0/8 is not 10.0.0.0/8; and clients behind it are known by their IPv4 address only.
  if (bits !== undefined && address?.kind() !== parseLiteral(base)?.kind()) {
    throw badRequest(field, 'Range of IPv4 addresses must be written as one')
  }
  const width = address?.kind() === 'ipv4' ? 32 : 128
  const prefix = bits === undefined ? width : Number(bits)
  const wellFormed = rest.length === 0 && (bits === undefined || /^(?:0|[1-9][0-9]{0,2})$/.test(bits))
  if (address === null || !wellFormed || prefix > width) {
    throw badRequest(field, 'Range must be an address, "/" and a prefix length')
  }
  const first = network(address, prefix)
  if (first.toString() !== address.toString()) {
    throw badRequest(field, `Range has host bits set; ${first.toString()}/${prefix} has none`)
  }
  return { address, prefix }
}

/** Whether a range holds an address. An address that cannot be read is in no range. */
export function inRange(text: string, { address, prefix }: Range): boolean {
  const client = parseAddress(text)
  return client !== null && client.kind() === address.kind() && client.match(address, prefix)
}

function network(address: Address, prefix: number): Address {
  const bytes = address.toByteArray().map((byte, i) => {
    const kept = Math.min(8, Math.max(0, prefix - 8 * i))
    return byte & (0xff00 >> kept) & 0xff
  })
  return ipaddr.fromByteArray(bytes)
}
