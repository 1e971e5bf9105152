/**
 * The address to listen on, as operators write it.
 *
 * @module
 */
import { canonicalAddress } from '../addresses.ts'
import { badRequest } from '../errors.ts'

const NAME = /^(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/
/** A name whose last part is a number is an address to a resolver: `127.1`, `2130706433`, `0x7f000001`. */
const NUMERIC = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/

/**
 * Parses the address to listen on, in any of its spellings: `[::1]`, `0:0:0:0:0:0:0:1`, `LOCALHOST`, `localhost.`.
 *
 * @returns An address in canonical form without brackets, or a name in lower case without a trailing dot.
 * @throws {PosternError} `bad_request`, naming the form to use.
 */
export function parseListenHost(given: string): string {
  const text = given.trim()
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text
  const [written = '', zone, ...rest] = bare.split('%')
  const address = canonicalAddress(written)
  if (address !== null && zone === undefined) return address
  // The name of an interface, which a link-local address needs (RFC 4007 section 11).
  if (address?.includes(':') && /^[\w.-]+$/.test(zone ?? '') && rest.length === 0) return `${address}%${zone}`
  const name = text.toLowerCase().replace(/\.$/, '')
  if (NAME.test(name) && !NUMERIC.test(name)) return name
  throw badRequest('host', complaint(text))
}

function complaint(text: string): string {
  if (text === '*') return 'Must be 0.0.0.0 or :: to listen on all addresses'
  if (text.includes('/')) return 'Must be a host alone, without a scheme and a path'
  const [, host = '', port] = /^(\[.*\]|[^:]*):([0-9]+)$/.exec(text) ?? []
  const known = canonicalAddress(host.replace(/^\[|\]$/g, '')) ?? 'a host'
  if (port !== undefined) return `Must be ${known} alone. The port is POSTERN_PORT`
  return 'Must be an IPv4 address of four decimal parts, an IPv6 address, or a name'
}
