/**
 * Hosts that are reached without the proxy, in the notation that `NO_PROXY` has in most programs.
 *
 * @module
 */
import { canonicalAddress, inRange, parseRange, type Range } from '../addresses.ts'
import { badRequest } from '../errors.ts'
import { isLoopback } from '../loopback.ts'
import { hostOf, isLinkLocal } from './address_guard.ts'

/** One entry of the list. */
export type ProxyExemption =
  | { kind: 'all' }
  | { kind: 'range'; range: Range; port: string | null }
  | { kind: 'name'; name: string; isSuffix: boolean; port: string | null }

const NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)*[a-z0-9_][a-z0-9_-]{0,62}$/
const DEFAULT_PORTS: Record<string, string> = { 'http:': '80', 'https:': '443' }

/**
 * Parses one entry: `*`; a name, which stands for its subdomains too; `.suffix` or `*.suffix` for subdomains alone; an
 * address or a range. All but `*` and ranges may have a port.
 *
 * @throws {PosternError} `bad_request`
 */
export function parseProxyExemption(item: string): ProxyExemption {
  const text = item.toLowerCase()
  if (text === '*') return { kind: 'all' }
  if (/^[0-9a-f.:]+\/[0-9]+$/.test(text)) return { kind: 'range', range: parseRange(text), port: null }
  if (canonicalAddress(text) !== null) return { kind: 'range', range: parseRange(text), port: null }
  const [, host = '', port = null] = /^(\[.+\]|[^:[\]]+)(?::([1-9][0-9]{0,4}))?$/.exec(text) ?? []
  const address = canonicalAddress(host.replace(/^\[(.+)\]$/, '$1'))
  if (address !== null) return { kind: 'range', range: parseRange(address), port }
  const [, mark, name = ''] = /^(\*?\.)?(.*?)\.?$/.exec(host) ?? []
  if (NAME.test(name)) return { kind: 'name', name, isSuffix: mark !== undefined, port }
  throw badRequest('range', 'Must be names, addresses, ranges such as 10.0.0.0/8, or *')
}

/** Whether a request goes straight to its host: loopback and link-local addresses always do. */
export function isExempt(url: URL, exemptions: readonly ProxyExemption[]): boolean {
  const host = hostOf(url)
  if (isLoopback(host) || isLinkLocal(host)) return true
  const port = url.port || DEFAULT_PORTS[url.protocol]
  return exemptions.some((one) => {
    if (one.kind === 'all') return true
    if (one.port !== null && one.port !== port) return false
    if (one.kind === 'range') return inRange(host, one.range)
    return host.endsWith(`.${one.name}`) || (!one.isSuffix && host === one.name)
  })
}
