/**
 * The guard of requests to other servers: where they may go, as far as their URL says it.
 *
 * It does not see a name that resolves to a forbidden address: on Workers the platform refuses it, and elsewhere the
 * network of the process must be restricted. Behind a proxy, the proxy resolves names.
 *
 * @module
 */
import { inRange, parseAddress, parseRange, type Range } from '../addresses.ts'
import { badRequest, PosternError } from '../errors.ts'
import { isLoopback } from '../loopback.ts'

/**
 * Addresses that are not reachable on the public internet: the IANA special-purpose registries, deprecated ranges that
 * predate them, and the one public address that a cloud answers itself. A request there would reach this machine, its
 * network, or the metadata service of a cloud.
 */
const SPECIAL = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4', '168.63.129.16/32', '::/96', '::ffff:0:0:0/96', 'fec0::/10', '64:ff9b:1::/48'],
  ...['100::/64', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10'],
  ...['ff00::/8'],
].map((range) => parseRange(range))
/** Addresses of private networks (RFC 1918, RFC 4193), and those behind a carrier's NAT (RFC 6598), as overlays use them. */
const PRIVATE_TEXTS = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7']
const PRIVATE = PRIVATE_TEXTS.map((range) => parseRange(range))
/** Metadata services within private ranges: of AWS, Google, Oracle and Alibaba. */
const METADATA = ['fd00:ec2::/64', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe', '100.100.100.200'].map((one) =>
  parseRange(one),
)
/** Addresses of services on the machine itself, such as those for its identity: link-local ones, and those of AWS for IPv6. */
const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::/64'].map((range) => parseRange(range))
const METADATA_HOSTS = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'metadata',
  'instance-data',
  'instance-data.ec2.internal',
  'ip6-localhost',
  'ip6-loopback',
])

/** What a request may reach beyond https on the public internet. */
export interface AddressReach {
  /** Allows http to loopback. */
  allowLoopback?: boolean
  /** Private ranges that may be reached over https: see {@link parsePrivateRange}. */
  privateRanges?: readonly Range[]
}

/** The flaw of an address. */
export type AddressFlaw = 'malformed' | 'credentials' | 'plain' | 'loopback' | 'private' | 'special'

/** The flaws, in words for a person who does not know the settings of the server. */
const FLAWS: Record<AddressFlaw, string> = {
  malformed: 'It is not a URL such as https://host',
  credentials: 'It has a user name or a password',
  plain: 'It does not begin with https://',
  loopback: 'It is on the machine of the server',
  private: 'It is in a private network',
  special: 'It is reserved',
}

/** A URL that must not be requested. */
export class ForbiddenAddress extends PosternError {
  readonly flaw: AddressFlaw

  constructor(flaw: AddressFlaw) {
    super('bad_request', `Address must be https, and on the public internet. ${FLAWS[flaw]}`, { field: 'url' })
    this.flaw = flaw
  }
}

/**
 * Checks the address of a request. WHATWG URL has normalised all spellings of an address by then.
 *
 * @throws {ForbiddenAddress} `bad_request`
 */
export function checkUrl(text: string, reach: AddressReach = {}): void {
  const flaw = flawOf(URL.parse(text), reach)
  if (flaw !== null) throw new ForbiddenAddress(flaw)
}

function flawOf(url: URL | null, { allowLoopback = false, privateRanges = [] }: AddressReach): AddressFlaw | null {
  if (url === null || !/^https?:$/.test(url.protocol)) return 'malformed'
  if (url.username || url.password) return 'credentials'
  const host = hostOf(url)
  if (isLoopback(host)) return allowLoopback ? null : 'loopback'
  if (url.protocol !== 'https:') return 'plain'
  if (METADATA_HOSTS.has(host) || host.endsWith('.localhost')) return 'special'
  const within = (ranges: readonly Range[]) => ranges.some((range) => inRange(host, range))
  if (parseAddress(host) === null || !within(SPECIAL)) return null
  if (!within(PRIVATE) || within(METADATA)) return 'special'
  return within(privateRanges) ? null : 'private'
}

/** The host of a URL, without brackets and without a trailing dot. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '').replace(/(?<!\.)\.+$/, '')
}

/** Whether a host is the address of a service on the machine itself. */
export function isLinkLocal(host: string): boolean {
  return LINK_LOCAL.some((range) => inRange(host, range))
}

/**
 * Parses a private range that an operator opens for providers.
 *
 * @throws {PosternError} `bad_request` for a range that is not private, such as one of link-local addresses.
 */
export function parsePrivateRange(text: string): Range {
  const range = parseRange(text)
  const holds = (outer: Range) => range.prefix >= outer.prefix && inRange(range.address.toString(), outer)
  if (PRIVATE.some(holds)) return range
  throw badRequest('range', `Must be ranges within ${PRIVATE_TEXTS.join(', ')}`)
}
